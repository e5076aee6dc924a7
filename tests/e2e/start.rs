//! What each command says when it can't begin: an exit code for a script, and a mend for a person.

mod acl;
mod application;
mod healthcheck;
mod topic;

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::process::{Exit, Process, free};
use aftersend_tests::wait::{PATIENCE, await_until};
use kafka::{Cluster, TopicRequest};
use schemas::token::{Kind, TokenKey};
use schemas::topic::Topic;

/// Credentials that nobody checks.
const CREDENTIALS: [(&str, &str); 2] =
    [("CUSTOMERIO_SITE_ID", "site"), ("CUSTOMERIO_API_KEY", "a-key-never-shown")];

fn with_credentials<'a>(env: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&CREDENTIALS[..], env].concat()
}

pub(crate) fn assert_refused(exit: &Exit, code: i32, mends: &[&str]) {
    assert_eq!(exit.code, Some(code), "{}", exit.stderr);
    for mend in mends {
        assert!(exit.stderr.contains(mend), "{mend:?} is not in: {}", exit.stderr);
    }
}

/// A bad configuration is exit code 64, with every fault of every role at once, and no secret among them.
#[test]
fn a_bad_configuration_is_told_whole() {
    let deployment = Deployment::without_topics("config", 2);
    let faulty = [
        ("AFTERSEND_KAFKA", ""),
        ("AFTERSEND_LISTEN", "everywhere"),
        ("AFTERSEND_PARTITIONS", "0"),
        ("AFTERSEND_WAREHOUSE", "papyrus:roll"),
        ("AFTERSEND_PROCESSOR_DEDUPE_WINDOW_DAYS", "7"),
        ("AFTERSEND_PROCESSOR_DRILL", "nowhere:1:file"),
        ("CUSTOMERIO_REGION", "mars"),
        ("CUSTOMERIO_SITE_ID", ""),
        ("CUSTOMERIO_WEBHOOK_SIGNING_KEY", ""),
        ("CUSTOMERIO_API_KEY", "a-key-never-shown"),
        ("AFTERSEND_TOKEN_KEY", "short-secret"),
    ];
    let exit = deployment.run(&["check-config"], &faulty);
    let named: Vec<&str> =
        faulty.iter().map(|(name, _)| *name).filter(|name| *name != "CUSTOMERIO_API_KEY").collect();
    assert_refused(&exit, 64, &named);
    assert!(
        !exit.stderr.contains("a-key-never-shown") && !exit.stderr.contains("short-secret"),
        "{}",
        exit.stderr
    );

    let exit = deployment.run(&["gateway"], &faulty);
    assert_refused(&exit, 64, &["AFTERSEND_KAFKA", "AFTERSEND_LISTEN", "CUSTOMERIO_WEBHOOK_SIGNING_KEY"]);
    // Relations are looked at where their parts are sound.
    let relation = with_credentials(&[("AFTERSEND_GATEWAY_REQUEST_TIMEOUT", "5s")]);
    assert_refused(&deployment.run(&["check-config"], &relation), 64, &["AFTERSEND_GATEWAY_REQUEST_TIMEOUT"]);
    let sound = deployment.run(&["check-config"], &CREDENTIALS);
    assert_eq!(sound.code, Some(0), "{}", sound.stderr);
}

/// Where a collector parses the logs, every line is JSON: the warning about a variable, the faults of a bad
/// configuration, and the last words of a command that failed.
#[test]
fn every_line_is_json_where_the_logs_are() {
    let deployment = Deployment::without_topics("json", 2);
    let nowhere = free().to_string();
    let failing = [
        ("AFTERSEND_LOG_FORMAT", "json"),
        ("AFTERSEND_GATEWAY_PORT", "tcp://10.0.0.1:80"),
        ("AFTERSEND_KAFKA", nowhere.as_str()),
        ("AFTERSEND_BOOTSTRAP_WAIT", "1s"),
    ];
    let faulty = [&failing[..], &[("AFTERSEND_PARTITIONS", "0")]].concat();
    for (env, code, said) in [(&failing[..], 1, &nowhere[..]), (&faulty, 64, "AFTERSEND_PARTITIONS")] {
        let exit = deployment.run(&["bootstrap"], env);
        assert_refused(&exit, code, &["AFTERSEND_GATEWAY_PORT", said]);
        for line in exit.stderr.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect(line);
            assert!(line["level"].is_string(), "{line}");
        }
    }
}

/// E2: a team that holds the secret computes the tokens that stand on the topics, without a broker.
#[test]
fn a_token_is_computed_from_the_secret_alone() {
    let deployment = Deployment::without_topics("token", 2);
    let secret = "a-token-key-of-some-bytes";
    let env = [("AFTERSEND_KAFKA", ""), ("AFTERSEND_ENV", "production"), ("AFTERSEND_TOKEN_KEY", secret)];
    let exit = deployment.run(&["token", "Ada@Example.com", "ada@example.com"], &env);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let key = TokenKey::new(secret.as_bytes()).expect("long enough");
    let token = key.token(Kind::Email, "ada@example.com");
    assert_eq!(exit.stdout, format!("{}\n{token}\n", key.token(Kind::Email, "Ada@Example.com")));
    assert_refused(&deployment.run(&["token", "a@b.c"], &env[..2]), 64, &["AFTERSEND_TOKEN_KEY"]);
}

/// Wrong arguments are a bad configuration too: clap's own exit code is 2.
#[test]
fn wrong_arguments_are_a_bad_configuration() {
    let deployment = Deployment::without_topics("arguments", 2);
    assert_refused(&deployment.run(&["procesor"], &[]), 64, &["procesor", "processor"]);
    assert_refused(&deployment.run(&["bootstrap", "--prob"], &[]), 64, &["--prob", "--probe"]);
    let help = deployment.run(&["--help"], &[]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
}

/// Every role that starts before bootstrap waits for it, not ready, and readiness names the mend. Once the
/// topics are there it gets ready by itself.
#[test]
fn a_missing_topic_is_waited_for() {
    let deployment = Deployment::without_topics("missing", 2);
    let start = |role| deployment.start(role, &CREDENTIALS);
    let mut roles: Vec<Process> = Role::ALL.into_iter().map(start).collect();
    roles.iter_mut().for_each(|role| await_cause(role, "aftersend bootstrap"));
    let exit = deployment.run(&["bootstrap"], &[]);
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    for role in &mut roles {
        // The simulated vendor is absent, so the sink to it stays unready for another reason.
        await_until("the role to find the topics", PATIENCE, || {
            role.assert_alive();
            let told = role.readiness()?.body;
            (!told.contains("aftersend bootstrap")).then_some(())
        });
    }
    roles.remove(1).await_ready();
}

/// No role ends because a broker can't be reached: it waits, not ready, and readiness names the address and
/// the setting. A signal ends the wait. Bootstrap gives up after its wait.
#[test]
fn an_unreachable_broker_is_waited_for_and_named() {
    let deployment = Deployment::without_topics("unreachable", 2);
    let nowhere = free().to_string();
    let env = with_credentials(&[("AFTERSEND_KAFKA", &nowhere), ("AFTERSEND_BOOTSTRAP_WAIT", "1s")]);
    let start = |role| deployment.start(role, &env);
    let mut roles: Vec<Process> = Role::ALL.into_iter().map(start).collect();
    assert_refused(&deployment.run(&["bootstrap"], &env), 1, &["AFTERSEND_KAFKA", &nowhere]);
    for role in &mut roles {
        await_cause(role, &nowhere);
        await_cause(role, "AFTERSEND_KAFKA");
    }
    for role in roles {
        let exit = role.stop();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
}

/// Bootstrap waits for a broker, and a signal ends the wait.
#[test]
fn a_waiting_bootstrap_ends_on_sigterm() {
    let deployment = Deployment::without_topics("waiting", 2);
    let nowhere = free().to_string();
    let env = [("AFTERSEND_KAFKA", nowhere.as_str()), ("AFTERSEND_BOOTSTRAP_WAIT", "10m")];
    let mut waiting = deployment.start_command(&["bootstrap"], &env);
    await_until("bootstrap to wait", PATIENCE, || {
        waiting.assert_alive();
        waiting.log().contains("waiting for a broker").then_some(())
    });
    let exit = waiting.stop();
    assert_refused(&exit, 1, &["stopped by a signal"]);
}

/// A check compares and creates no topic. It names every missing topic, with what to create.
#[test]
fn a_bootstrap_check_creates_no_topic() {
    let deployment = Deployment::without_topics("check", 2);
    let names: Vec<&str> = Topic::ALL.into_iter().map(|topic| deployment.topics().name(topic)).collect();
    assert_refused(&deployment.run(&["bootstrap", "--check"], &[]), 1, &names);
    let cluster = Cluster::connect(&deployment.broker().connection()).expect("a client");
    assert!(names.iter().all(|name| cluster.topic(name).expect("an answer").is_none()));

    assert_eq!(deployment.run(&["bootstrap"], &[]).code, Some(0));
    let checked = deployment.run(&["bootstrap", "--check"], &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(!checked.stdout.contains("created"), "{}", checked.stdout);
}

/// Waits until readiness names `cause`.
fn await_cause(role: &mut Process, cause: &str) {
    await_until(&format!("readiness to name {cause}"), PATIENCE, || {
        role.assert_alive();
        let answer = role.readiness()?;
        (answer.status == 503 && answer.body.contains(cause)).then_some(())
    });
}

/// The partition count is for good: bootstrap and every role refuse another one than the topics have, whether
/// the settings say it or a topic was made by other hands.
#[test]
fn a_wrong_partition_count_is_refused() {
    let deployment = Deployment::new("count", 2);
    let env = with_credentials(&[("AFTERSEND_PARTITIONS", "3")]);
    let mut roles: Vec<Process> = Role::ALL.into_iter().map(|role| deployment.start(role, &env)).collect();
    assert_refused(&deployment.run(&["bootstrap"], &env), 1, &["has 2 partitions", "AFTERSEND_PARTITIONS"]);
    for role in &mut roles {
        assert_refused(&role.wait(), 1, &["2 partitions", "3"]);
    }

    let deployment = Deployment::without_topics("made-elsewhere", 2);
    let name = deployment.topics().name(Topic::Warehouse);
    let request = TopicRequest { name, partitions: 5, replication: 1, settings: &[] };
    let cluster = Cluster::connect(&deployment.broker().connection()).expect("a client");
    assert!(cluster.create(&request).expect("Kafka makes a topic"));
    assert_refused(&deployment.run(&["bootstrap"], &[]), 1, &[name, "5 partitions", "LogAppendTime"]);
}

/// Keys are made in one way for good: bootstrap and every role refuse tokenised ids where the topics were
/// made without, and where ids stay, the roles that read them say so.
#[test]
fn tokenising_of_ids_is_said_and_can_t_be_switched_later() {
    let deployment = Deployment::new("ids", 2);
    let env = with_credentials(&[("AFTERSEND_PRIVACY_TOKENISE_IDS", "true")]);
    let mut roles: Vec<Process> = Role::ALL.into_iter().map(|role| deployment.start(role, &env)).collect();
    assert_refused(&deployment.run(&["bootstrap"], &env), 1, &["address-like ids", "switch it back"]);
    for role in &mut roles {
        assert_refused(&role.wait(), 1, &["address-like ids", "switch it back"]);
    }
    for role in [Role::Gateway, Role::Processor] {
        let log = deployment.start_ready(role, &[]).log();
        assert!(log.contains("privacy.tokenise_ids"), "{role:?} does not say how ids are kept: {log}");
    }
}

/// Bootstrap again changes nothing and says so.
#[test]
fn bootstrap_twice_is_bootstrap_once() {
    let deployment = Deployment::without_topics("bootstrap", 2);
    let (first, second) = (deployment.run(&["bootstrap"], &[]), deployment.run(&["bootstrap"], &[]));
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{}{}", first.stderr, second.stderr);
    let created = |exit: &Exit| exit.stdout.lines().filter(|line| line.contains("created")).count();
    assert_eq!((created(&first), created(&second)), (Topic::ALL.len(), 0), "{}", second.stdout);
    assert_eq!(deployment.topic(Topic::Meta).records().len(), 1);
}

/// A probe says of each claim whether it holds, and that the cluster is good, before the topics are made; it
/// leaves nothing behind.
#[test]
fn a_probe_tells_what_the_cluster_keeps() {
    let deployment = Deployment::without_topics("probe", 2);
    let exit = deployment.run(&["bootstrap", "--probe"], &[]);
    assert_eq!(exit.code, Some(0), "{}{}", exit.stdout, exit.stderr);
    assert!(exit.stdout.lines().filter(|line| line.starts_with("holds ")).count() >= 12, "{}", exit.stdout);
    assert!(exit.stdout.contains("keeps what exactly-once processing requires"), "{}", exit.stdout);
    assert_eq!(exit.stdout.lines().filter(|line| line.contains("created")).count(), Topic::ALL.len());
}
