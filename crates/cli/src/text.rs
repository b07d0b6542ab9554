//! Texts of others, made harmless for a terminal.

use std::fmt::Write;

/// What is shown for a character that could drive the terminal.
const INSTEAD: char = '\u{fffd}';

/// A text in one line that cannot drive the terminal: white space that would break the line becomes
/// a space, control characters (C0, DEL, C1) and those that turn the direction of writing become
/// U+FFFD.
pub(crate) fn harmless(text: &str) -> String {
    let shown = text.chars().map(|c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_dangerous(c) => INSTEAD,
        c => c,
    });
    shown.collect()
}

/// The same JSON, in which the characters that could drive the terminal are written as escapes. In
/// JSON they occur inside of strings alone, where an escape means the same.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        let is_space = matches!(c, '\n' | '\r' | '\t');
        if is_dangerous(c) && !is_space {
            // All of them are in the basic plane, so one escape is enough.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

fn is_dangerous(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// Cuts a text to so many columns; none leaves it whole.
pub(crate) fn cut(text: &str, columns: Option<usize>) -> String {
    match columns {
        Some(columns) => console::truncate_str(text, columns, "…").into_owned(),
        None => text.to_owned(),
    }
}

/// A text in exactly so many columns.
pub(crate) fn column(text: &str, columns: usize) -> String {
    console::pad_str(text, columns, console::Alignment::Left, Some("…")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_drives_a_terminal_is_left() {
        for (text, shown) in [
            ("plain é 漢 🙂", "plain é 漢 🙂"),
            ("a\nb\tc\r\nd", "a b c  d"),
            ("\u{1b}[31mred\u{7}", "\u{fffd}[31mred\u{fffd}"),
            ("\u{9b}2J\u{7f}", "\u{fffd}2J\u{fffd}"),
            ("safe\u{202e}exe.txt", "safe\u{fffd}exe.txt"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }

    #[test]
    fn json_means_the_same_with_escapes() {
        let json = serde_json::json!({"a": "x\u{9b}y\u{7f}z\u{1b}\u{202e}é"}).to_string();
        let shown = harmless_json(&json);
        assert!(!shown.chars().any(is_dangerous), "{shown}");
        let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
        assert_eq!(value(&shown), value(&json));
        assert_eq!(harmless_json("{\n\t\"a\": 1\r\n}"), "{\n\t\"a\": 1\r\n}");
    }

    #[test]
    fn columns_count_wide_characters_twice() {
        assert_eq!(cut("漢字漢字", Some(5)), "漢字…");
        assert_eq!(cut("abc", None), "abc");
        assert_eq!(column("漢", 4), "漢  ");
    }
}
