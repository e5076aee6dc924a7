//! What each command says when it can't begin: an exit code for a script, and a mend for a person.

mod acl;
mod application;
mod topic;

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::process::{Exit, Process, free};
use kafka::{Cluster, TopicRequest};
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

/// Wrong arguments are a bad configuration too: clap's own exit code is 2.
#[test]
fn wrong_arguments_are_a_bad_configuration() {
    let deployment = Deployment::without_topics("arguments", 2);
    assert_refused(&deployment.run(&["procesor"], &[]), 64, &["procesor", "processor"]);
    assert_refused(&deployment.run(&["bootstrap", "--prob"], &[]), 64, &["--prob", "--probe"]);
    let help = deployment.run(&["--help"], &[]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
}

/// Every role that starts before bootstrap ends, and names the mend.
#[test]
fn a_missing_topic_names_bootstrap() {
    let deployment = Deployment::without_topics("missing", 2);
    let start = |role| deployment.start(role, &CREDENTIALS);
    let mut roles: Vec<Process> = Role::ALL.into_iter().map(start).collect();
    for role in &mut roles {
        assert_refused(&role.wait(), 1, &["aftersend bootstrap"]);
    }
}

/// An unreachable broker ends every command but the gateway, which listens on (see G3), and the address and
/// the setting are named.
#[test]
fn an_unreachable_broker_is_named() {
    let deployment = Deployment::without_topics("unreachable", 2);
    let nowhere = free().to_string();
    let env = with_credentials(&[("AFTERSEND_KAFKA", &nowhere)]);
    let roles = [Role::Processor, Role::CustomerioSink, Role::WarehouseSink];
    let mut roles: Vec<Process> = roles.into_iter().map(|role| deployment.start(role, &env)).collect();
    assert_refused(&deployment.run(&["bootstrap"], &env), 1, &["AFTERSEND_KAFKA", &nowhere]);
    for role in &mut roles {
        assert_refused(&role.wait(), 1, &["AFTERSEND_KAFKA", &nowhere]);
    }
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
