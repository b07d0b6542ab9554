//! Completions, manual, help.

use crate::program::Program;

#[tokio::test]
async fn help_has_the_exit_codes_and_every_flag_its_variable() {
    let program = Program::at_url("http://127.0.0.1:1");
    for command in ["send", "inbox", "read", "users", "import", "doctor"] {
        let ended = program.run(&[command, "--help"]).await;
        assert_eq!(ended.code, 0);
        for text in ["Exit codes:", "  4  partly done", "NOTIFY_TOKEN", "NOTIFY_TIMEOUT", "--json"]
        {
            assert!(ended.stdout.contains(text), "{command}: {}", ended.stdout);
        }
    }
}

#[tokio::test]
async fn shells_and_the_manual_know_the_commands() {
    let program = Program::at_url("http://127.0.0.1:1");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = program.run(&["completions", shell]).await;
        assert!(ended.code == 0 && ended.stdout.contains("import"), "{shell}");
    }
    assert_eq!(program.run(&["completions", "tcsh"]).await.code, 2);
    let ended = program.run(&["man"]).await;
    assert!(ended.stdout.contains(".TH kafka-notify"), "{}", ended.stdout);
    let folder = program.home().join("man");
    let ended = program.run(&["man", "--out", folder.to_str().unwrap()]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    for page in ["kafka-notify.1", "kafka-notify-import.1", "kafka-notify-users-add.1"] {
        let page = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[tokio::test]
async fn output_that_nobody_reads_is_no_error() {
    let program = Program::at_url("http://127.0.0.1:1");
    let mut child = program.spawn(&["completions", "zsh"]);
    drop(child.stdout.take());
    let ended = crate::program::end(child).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}
