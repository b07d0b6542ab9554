//! The rules of the house that the compiler does not check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Which crates of the workspace a crate may be built on. To add an arrow is a decision: it goes into
/// ARCHITECTURE.md as well.
const ARROWS: [(&str, &[&str]); 11] = [
    ("models", &[]),
    ("broker", &[]),
    ("kafka", &["models"]),
    ("inbox", &["models"]),
    ("service", &["models"]),
    ("producer", &["models", "kafka", "inbox", "service"]),
    ("consumer", &["models", "kafka", "inbox", "service"]),
    ("cli", &["models", "producer", "consumer", "broker", "kafka", "service"]),
    ("loadgen", &["models"]),
    ("test-broker", &["broker", "kafka"]),
    ("e2e", &["models", "kafka", "producer", "consumer", "broker", "cli"]),
];

/// The only crates that may be built on a library.
const DOORS: [(&str, &[&str]); 4] = [
    // loadgen: the bare produce that the producer is measured beside.
    ("rskafka", &["kafka", "loadgen"]),
    ("kafka-protocol", &["kafka", "broker"]),
    // loadgen: the bare handlers that the services are measured beside.
    ("actix-web", &["service", "producer", "consumer", "loadgen"]),
    ("fjall", &["inbox"]),
];

fn crates_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The crates by name, each with what it is built on.
fn crates() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut crates = BTreeMap::new();
    for folder in fs::read_dir(crates_folder())? {
        let folder = folder?;
        let manifest = folder.path().join("Cargo.toml");
        if manifest.is_file() {
            let name = folder.file_name().to_string_lossy().into_owned();
            crates.insert(name, dependencies(&fs::read_to_string(manifest)?));
        }
    }
    Ok(crates)
}

/// Names under `[dependencies]`, also `[dependencies.name]` and those of a target.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_dependencies = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let header = header.rsplit_once("'.").map_or(header, |(_target, kind)| kind);
            is_dependencies = header == "dependencies";
            names.extend(header.strip_prefix("dependencies.").map(str::to_owned));
        } else if is_dependencies && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            names.extend((!name.is_empty()).then(|| name.to_owned()));
        }
    }
    names
}

/// Rust sources below a folder, with their paths from the crates' folder.
fn sources(below: &str) -> Result<Vec<(String, String)>> {
    let (root, mut sources) = (crates_folder(), Vec::new());
    let mut folders = vec![root.join(below)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root)?.to_string_lossy().into_owned();
                sources.push((name, fs::read_to_string(&path)?));
            }
        }
    }
    Ok(sources)
}

#[test]
fn the_reader_of_manifests_finds_each_form_of_a_dependency() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c = \"1\"\n\n\
        d = { version = \"1\" }\n[dependencies.e]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\n\
        f = \"1\"\n[dev-dependencies]\ng = \"1\"\n[lints]\nworkspace = true\n";
    let found: Vec<_> = dependencies(manifest).into_iter().collect();
    assert_eq!(found, ["a", "b", "d", "e", "f"]);
}

#[test]
fn crates_are_built_only_on_those_that_their_arrows_lead_to() -> Result<()> {
    let crates = crates()?;
    assert!(crates.contains_key("models") && crates.contains_key("cli"), "{crates:?}");
    for (name, dependencies) in &crates {
        let arrows = ARROWS.iter().find(|(from, _)| from == name);
        let (_, allowed) = arrows.unwrap_or_else(|| panic!("crate {name} has no arrows yet"));
        for dependency in dependencies.iter().filter(|name| crates.contains_key(*name)) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not use {dependency}");
        }
    }
    Ok(())
}

#[test]
fn each_library_with_a_door_is_used_behind_that_door_alone() -> Result<()> {
    for (name, dependencies) in crates()? {
        for (library, doors) in DOORS {
            let may = doors.contains(&name.as_str());
            assert!(may || !dependencies.contains(library), "{name} must not use {library}");
        }
    }
    Ok(())
}

#[test]
fn inside_a_service_only_http_and_the_application_know_the_web_framework() -> Result<()> {
    for service in ["producer", "consumer"] {
        let sources = sources(&format!("{service}/src"))?;
        assert!(sources.len() > 3, "{sources:?}");
        for (path, text) in sources {
            let may = path.starts_with(&format!("{service}/src/http/"))
                || path == format!("{service}/src/application.rs");
            assert!(may || !text.contains("actix_web"), "{path} names actix_web");
        }
    }
    Ok(())
}

#[test]
fn nothing_is_called_common_or_utils() -> Result<()> {
    let forbidden = ["common", "utils", "util"];
    for name in crates()?.keys() {
        assert!(!forbidden.contains(&name.as_str()), "crate {name}");
        for (path, text) in sources(name)? {
            let mut words =
                Path::new(&path).with_extension("").into_os_string().into_string().unwrap();
            words.make_ascii_lowercase();
            let word = words.split('/').find(|word| forbidden.contains(word));
            assert!(word.is_none(), "{path} has the name {}", word.unwrap_or_default());
            let module = forbidden.iter().find(|word| text.contains(&format!("mod {word}")));
            assert!(module.is_none(), "{path} has a module {}", module.unwrap_or(&""));
        }
    }
    Ok(())
}

#[test]
fn no_test_is_ignored_and_none_sleeps() -> Result<()> {
    // Put together here, so that this file does not contain them.
    let forbidden = [["#[", "ignore"].concat(), ["sl", "eep("].concat()];
    let mut tests = Vec::new();
    for name in crates()?.keys() {
        if crates_folder().join(name).join("tests").is_dir() {
            tests.extend(sources(&format!("{name}/tests"))?);
        }
    }
    // What tests are made of is under the same rule; `eventually` alone waits for the clock.
    tests.extend(sources("e2e/src")?.into_iter().filter(|(path, _)| path != "e2e/src/wait.rs"));
    assert!(tests.iter().any(|(path, _)| path == "e2e/tests/architecture.rs"));
    for (path, text) in tests {
        for forbidden in &forbidden {
            assert!(!text.contains(forbidden), "{path} has {forbidden}");
        }
    }
    Ok(())
}
