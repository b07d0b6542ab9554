//! Points in time.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z, from the year 1 to 9999.
///
/// As text: RFC 3339 in UTC with milliseconds, `2027-01-01T00:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text or number is no time between the years 1 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time: RFC 3339, such as 2027-01-01T00:00:00.000Z, from the year 1 to 9999")]
pub struct InvalidTimestamp;

const FIRST_MS: i64 = -62_135_596_800_000;
const LAST_MS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The time so many milliseconds after 1970; what lies outside the years 1 to 9999 becomes
    /// the nearest time inside them (records in a log hold any number).
    pub fn from_ms_clamped(ms: i64) -> Self {
        Self(ms.clamp(FIRST_MS, LAST_MS))
    }

    /// Milliseconds since 1970.
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// The time as the type that the Kafka client speaks.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// The time as text, in ASCII.
    pub(crate) fn to_text(self) -> [u8; 24] {
        let time = self.to_datetime();
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (end, number) in [
            (4, time.year().unsigned_abs()),
            (7, time.month()),
            (10, time.day()),
            (13, time.hour()),
            (16, time.minute()),
            (19, time.second()),
            (23, time.timestamp_subsec_millis()),
        ] {
            put_digits(text.get_mut(..end).unwrap_or_default(), number);
        }
        text
    }
}

/// Writes a number to the end of a text, as many digits as it has.
fn put_digits(text: &mut [u8], mut number: u32) {
    for place in text.iter_mut().rev() {
        if number == 0 {
            return;
        }
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self::from_ms_clamped(time.timestamp_millis())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_text()).unwrap_or_default())
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        if let Some(time) = read_own_form(text) {
            return Ok(time);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp)?;
        let ms = time.timestamp_millis();
        if (FIRST_MS..=LAST_MS).contains(&ms) { Ok(Self(ms)) } else { Err(InvalidTimestamp) }
    }
}

/// Reads the form that [`Timestamp`] is shown in, without the general reader's detours: every record
/// of our own has such a time.
fn read_own_form(text: &str) -> Option<Timestamp> {
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        mo1,
        mo2,
        b'-',
        d1,
        d2,
        b'T', //
        h1,
        h2,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
        b'.',
        f1,
        f2,
        f3,
        b'Z',
    ] = text.as_bytes()
    else {
        return None;
    };
    let year = i32::try_from(number(&[*y1, *y2, *y3, *y4])?).ok().filter(|year| *year > 0)?;
    let date = NaiveDate::from_ymd_opt(year, number(&[*mo1, *mo2])?, number(&[*d1, *d2])?)?;
    let time = date.and_hms_milli_opt(
        number(&[*h1, *h2])?,
        number(&[*m1, *m2])?,
        number(&[*s1, *s2])?,
        number(&[*f1, *f2, *f3])?,
    )?;
    Some(Timestamp(time.and_utc().timestamp_millis()))
}

fn number(digits: &[u8]) -> Option<u32> {
    let mut number = 0;
    for digit in digits {
        number = number * 10 + char::from(*digit).to_digit(10)?;
    }
    Some(number)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_rfc_3339_in_utc_with_milliseconds() {
        for (text, shown) in [
            ("2027-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
            ("2027-01-01T02:00:00+02:00", "2027-01-01T00:00:00.000Z"),
            ("2027-01-01t00:00:00.1239z", "2027-01-01T00:00:00.123Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), shown);
        }
        for bad in ["", "2027-01-01", "2027-01-01T00:00:00", "now", "2027-13-01T00:00:00Z", "0"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidTimestamp), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_and_the_general_reader_agree(
            text in "[012][0-9]{3}-[01][0-9]-[0123][0-9]T[012][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}Z",
        ) {
            let general = DateTime::parse_from_rfc3339(&text).ok().map(|time| time.timestamp_millis());
            let general = general.filter(|ms| (FIRST_MS..=LAST_MS).contains(ms));
            prop_assert_eq!(text.parse().ok().map(Timestamp::as_ms), general, "{}", text);
            let own = read_own_form(&text).map(Timestamp::as_ms);
            prop_assert!(own.is_none() || own == general);
        }

        #[test]
        fn every_number_becomes_a_time_that_survives_its_text(ms: i64) {
            let time = Timestamp::from_ms_clamped(ms);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
