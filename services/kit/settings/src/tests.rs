//! What users of the whole crate rely on: precedence, every fault at once, and no secret in any of it.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::proptest;
use tempfile::TempDir;

use crate::{ByteSize, Environment, Fault, Field, Reader, Secret, table};

const LISTEN: Field =
    Field::new("gateway.listen", "AFTERSEND_LISTEN", "Where it listens.").default("127.0.0.1:1");
const LIMIT: Field =
    Field::new("gateway.body_limit", "AFTERSEND_GATEWAY_BODY_LIMIT", "Largest body.").default("1MiB");
const LINGER: Field = Field::new("kafka.linger", "AFTERSEND_KAFKA_LINGER", "How long a record waits.");
const BROKERS: Field = Field::new("kafka.brokers", "AFTERSEND_KAFKA", "Bootstrap servers.");
const KEYS: Field = Field::new("webhook.keys", "WEBHOOK_KEY", "Signing keys | several.")
    .aliases(&["OLD_KEY", "OLDER_KEY"])
    .secrecy(true);
const ENVIRONMENT: Field = Field::new("env", "AFTERSEND_ENV", "Where this runs.").default("development");
const ALL: &[&Field] = &[&LISTEN, &LIMIT, &LINGER, &BROKERS, &KEYS, &ENVIRONMENT];

/// A settings file that lives as long as the test.
struct File {
    folder: TempDir,
    path: PathBuf,
}

fn file(name: &str, text: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    File { folder, path }
}

fn reader(file: Option<&File>, env: &[(&str, &str)]) -> Reader {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reader::new(ALL, file.map(|file| file.path.as_path()), env)
}

fn faults(reader: Reader) -> String {
    reader.finish().unwrap_err().to_string()
}

fn exposed(keys: Option<Vec<Secret>>) -> Vec<String> {
    keys.unwrap_or_default().iter().map(|key| key.expose().to_owned()).collect()
}

#[test]
fn the_environment_beats_the_file_and_the_file_beats_the_default() {
    let file = file("a.toml", "[gateway]\nlisten = \"127.0.0.1:2\"\nbody_limit = \"2MiB\"\n");
    let mut reader = reader(Some(&file), &[("AFTERSEND_LISTEN", "127.0.0.1:3")]);
    assert_eq!(reader.read::<std::net::SocketAddr>(&LISTEN).unwrap().port(), 3);
    assert_eq!(reader.read(&LIMIT), Some(ByteSize(2 << 20)));
    assert_eq!(reader.read(&ENVIRONMENT), Some(Environment::Development));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn toml_and_yaml_say_the_same() {
    let toml = "env = 'staging'\nkafka.brokers = ['a:1', 'b:2']\n[kafka]\nlinger = '5ms'\n";
    let toml = file("a.toml", &toml.replace("kafka.brokers", "\"kafka.brokers\""));
    let yaml = file("a.yml", "env: staging\nkafka:\n  brokers: [\"a:1\", \"b:2\"]\n  linger: 5ms\n");
    for file in [toml, yaml] {
        let mut reader = reader(Some(&file), &[]);
        assert_eq!(reader.read(&ENVIRONMENT), Some(Environment::Staging));
        assert_eq!(reader.read(&BROKERS), Some(vec!["a:1".to_owned(), "b:2".to_owned()]));
        assert_eq!(reader.read(&LINGER), Some(Duration::from_millis(5)));
        assert_eq!(reader.finish(), Ok(()));
    }
}

#[test]
fn an_empty_variable_and_an_empty_file_count_as_absent() {
    let file = file("a.yaml", "");
    let mut reader = reader(Some(&file), &[("AFTERSEND_GATEWAY_BODY_LIMIT", ""), ("WEBHOOK_KEY_FILE", "")]);
    assert_eq!(reader.read(&LIMIT), Some(ByteSize(1 << 20)));
    assert!(reader.optional::<Vec<Secret>>(&KEYS).unwrap().is_none());
    assert_eq!(reader.optional::<Duration>(&LINGER), Some(None));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn every_fault_is_told_at_once_and_each_once() {
    let mut reader =
        reader(None, &[("AFTERSEND_GATEWAY_BODY_LIMIT", "12 parsecs"), ("AFTERSEND_ENV", "prod")]);
    for _ in 0..2 {
        // The default stands in for what is malformed, so that relations with it are checked too.
        assert_eq!(reader.read::<ByteSize>(&LIMIT), Some(ByteSize(1 << 20)));
        assert_eq!(reader.read::<Environment>(&ENVIRONMENT), Some(Environment::Development));
        assert_eq!(reader.read::<Duration>(&LINGER), None);
    }
    reader.require(false, || Fault::new(&LISTEN, "port 1", "a port above 1023", "choose another"));
    reader.require(true, || unreachable!("the relation holds"));
    let text = faults(reader);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "gateway.body_limit (AFTERSEND_GATEWAY_BODY_LIMIT): got \"12 parsecs\" (its unit is none of B, KiB, MiB, GiB, TiB); \
             wanted a size such as 512B, 64KiB, 16MiB or 2GiB; correct AFTERSEND_GATEWAY_BODY_LIMIT",
            "env (AFTERSEND_ENV): got \"prod\" (none of the three); wanted one of development, staging, production; \
             correct AFTERSEND_ENV",
            "kafka.linger (AFTERSEND_KAFKA_LINGER): got nothing; wanted a duration such as 250ms, 3s, 5m, 2h or 30d; \
             set AFTERSEND_KAFKA_LINGER",
            "gateway.listen (AFTERSEND_LISTEN): got port 1; wanted a port above 1023; choose another",
        ]
    );
}

#[test]
fn an_unknown_key_in_the_file_is_a_fault_with_the_nearest_name() {
    let file = file("a.toml", "[gateway]\nbodylimit = '1MiB'\n[sesame]\nopen = 'hunter2'\n");
    let null = self::file("a.yaml", "sesame: null\nenv: null\n");
    assert_eq!(faults(reader(Some(&null), &[])).lines().count(), 1);
    let text = faults(reader(Some(&file), &[]));
    assert!(
        text.contains("unknown key gateway.bodylimit") && text.contains("did you mean gateway.body_limit?"),
        "{text}"
    );
    assert!(text.contains("unknown key sesame.open"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

/// Kubernetes sets such variables by itself, so they can't be faults.
#[test]
fn an_unknown_variable_of_ours_is_only_a_warning() {
    let reader = reader(
        None,
        &[
            ("AFTERSEND_LISTENN", "x"),
            ("AFTERSEND_GATEWAY_SERVICE_HOST", "10.0.0.1"),
            ("AFTERSEND_LISTEN", "127.0.0.1:3"),
            ("PATH", "/bin"),
        ],
    );
    let warnings = reader.warnings().join("\n");
    assert_eq!(reader.warnings().len(), 2, "{warnings}");
    assert!(
        warnings.contains("AFTERSEND_LISTENN is not a setting; did you mean AFTERSEND_LISTEN?"),
        "{warnings}"
    );
    assert!(!warnings.contains("10.0.0.1"), "{warnings}");
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn a_file_that_cannot_be_used_is_a_fault_that_quotes_nothing_of_it() {
    let broken = "webhook:\n  keys: \"hunter2\n";
    let cases = [
        (file("a.toml", "webhook = { keys = \"hunter2 }\n"), "syntax error at line 1"),
        (file("a.toml", "[gateway]\nlisten = hunter2\n"), "syntax error at line 2"),
        (file("a.yaml", broken), "syntax error at line"),
        (file("a.yaml", "env: staging\nenv: production\n"), "syntax error"),
        (file("a.yaml", "- hunter2\n"), "something else at the top"),
        (file("a.yaml", "env: [\"a,b\"]\n"), "a list under env"),
        (
            file("a.toml", "env = 'staging'\n'gateway.listen' = 'a'\n[gateway]\nlisten = 'b'"),
            "gateway.listen twice",
        ),
        (file("a.json", "{}"), "a name without a known ending"),
    ];
    for (file, expected) in cases {
        let text = faults(reader(Some(&file), &[]));
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_missing_file_is_a_fault() {
    let mut file = file("a.toml", "");
    file.path = file.folder.path().join("missing.toml");
    let text = faults(reader(Some(&file), &[]));
    assert!(text.contains("missing.toml") && text.contains("not found"), "{text}");
}

#[test]
fn a_secret_comes_from_its_variable_an_alias_or_a_file() {
    let secret = file("key", "  hunter2,hunter3\n");
    let path = secret.path.to_str().unwrap();
    for env in [("WEBHOOK_KEY", "hunter2,hunter3"), ("OLDER_KEY", "hunter2, hunter3"), ("OLD_KEY_FILE", path)]
    {
        let mut reader = reader(None, &[env]);
        assert_eq!(exposed(reader.read(&KEYS)), ["hunter2", "hunter3"], "{}", env.0);
        assert_eq!(reader.finish(), Ok(()));
    }
    let agreeing = [("WEBHOOK_KEY", "hunter2,hunter3"), ("OLD_KEY_FILE", path)];
    assert_eq!(exposed(reader(None, &agreeing).read(&KEYS)), ["hunter2", "hunter3"]);
}

#[test]
fn two_sources_for_one_secret_are_a_fault() {
    let secret = file("key", "hunter2");
    let path = secret.path.to_str().unwrap();
    let cases = [
        [("WEBHOOK_KEY", "hunter2"), ("WEBHOOK_KEY_FILE", path)],
        [("WEBHOOK_KEY", "hunter3"), ("OLD_KEY", "hunter4")],
        [("OLD_KEY", "hunter4"), ("OLDER_KEY_FILE", path)],
    ];
    for env in cases {
        let mut reader = reader(None, &env);
        assert!(reader.read::<Vec<Secret>>(&KEYS).is_none());
        let text = faults(reader);
        assert!(text.contains(env[0].0) && text.contains(env[1].0), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }
}

/// E2: the value, and a path variable that holds the value by mistake, stay out of the fault.
#[test]
fn e2_a_faulty_secret_is_not_repeated() {
    for env in [("WEBHOOK_KEY", "hunter2,,hunter3"), ("WEBHOOK_KEY_FILE", "hunter2")] {
        let mut reader = reader(None, &[env]);
        assert!(reader.read::<Vec<Secret>>(&KEYS).is_none());
        assert!(!format!("{reader:?}").contains("hunter"));
        let text = faults(reader);
        assert!(text.contains(env.0) && !text.contains("hunter"), "{text}");
    }
}

#[test]
fn a_secret_read_as_text_and_a_field_outside_the_catalogue_are_refused() {
    const STRAY: Field = Field::new("stray", "AFTERSEND_STRAY", "Not in the catalogue.").default("1");
    let mut reader = reader(None, &[("WEBHOOK_KEY", "hunter2")]);
    assert_eq!(reader.read::<String>(&KEYS), None);
    assert!(reader.read::<Secret>(&LISTEN).is_none());
    assert_eq!(reader.read::<u16>(&STRAY), Some(1));
    assert_eq!(faults(reader).lines().count(), 3);
}

#[test]
fn the_table_is_sorted_lists_each_key_once_and_marks_secrets() {
    let text = table(&[&KEYS, &LISTEN, &KEYS]);
    let rows: Vec<&str> = text.lines().skip(2).collect();
    assert_eq!(
        rows,
        [
            "| `gateway.listen` | `AFTERSEND_LISTEN` | `127.0.0.1:1` | Where it listens. |",
            "| `webhook.keys` | `WEBHOOK_KEY` or `WEBHOOK_KEY_FILE` (secret), also `OLD_KEY`, `OLDER_KEY` | none \
             | Signing keys \\| several. |",
        ]
    );
    assert_eq!(text, table(&[&LISTEN, &KEYS]));
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(text in "[a-z\\[\\]{}:=.\", \n0-9-]{0,80}") {
        for name in ["a.toml", "a.yaml"] {
            let file = file(name, &text);
            drop(reader(Some(&file), &[]).finish());
        }
    }
}
