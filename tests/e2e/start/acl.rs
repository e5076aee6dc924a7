//! The rights that docs/acls.md lists are enough for every role, on a broker with an authorizer.

use aftersend_tests::broker::Shared;
use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::vendor::{Pace, Vendor};
use devkit::kafka::{Acl, AclResource, Node};

use super::{assert_refused, await_cause, with_credentials};
use crate::verdict;

const PACE: Pace = Pace { lanes: 16, calls_per_s: None };
const PASSWORD: &str = "secret";
const USERS: [&str; 6] = [
    "aftersend-bootstrap",
    "aftersend-gateway",
    "aftersend-processor",
    "aftersend-sink-customerio",
    "aftersend-sink-bigquery",
    "stranger",
];

/// The rights of the commands that `bootstrap --acls` prints.
fn acls(commands: &str) -> Vec<Acl> {
    commands.lines().filter(|line| !line.starts_with('#')).flat_map(acls_of).collect()
}

/// The rights of one command. An option that is not known here is a fault of the test.
#[expect(clippy::panic, reason = "names the option")]
fn acls_of(command: &str) -> Vec<Acl> {
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("kafka-acls.sh"), "{command}");
    let (mut user, mut operations, mut resource, mut is_prefix) = (None, Vec::new(), None, false);
    while let Some(option) = words.next() {
        let mut value = || words.next().expect("a value").to_owned();
        match option {
            "--add" => {}
            "--bootstrap-server" => assert_eq!(value(), "\"$AFTERSEND_KAFKA\""),
            "--allow-principal" => user = Some(value().strip_prefix("User:").expect("a user").to_owned()),
            "--operation" => operations.push(value()),
            "--topic" => resource = Some((AclResource::Topic, value())),
            "--group" => resource = Some((AclResource::Group, value())),
            "--transactional-id" => resource = Some((AclResource::TransactionalId, value())),
            "--resource-pattern-type" => is_prefix = value() == "prefixed",
            other => panic!("{other} in {command}"),
        }
    }
    let (user, (resource, name)) = (user.expect("a user"), resource.expect("a resource"));
    let acl = |operation| Acl { user: user.clone(), resource, name: name.clone(), is_prefix, operation };
    operations.into_iter().map(acl).collect()
}

/// The settings with which a role comes in as `user`.
fn secured<'a>(bootstrap: &'a str, user: &'a str) -> Vec<(&'a str, &'a str)> {
    with_credentials(&[
        ("AFTERSEND_KAFKA", bootstrap),
        ("AFTERSEND_KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("AFTERSEND_KAFKA_SASL_MECHANISM", "PLAIN"),
        ("AFTERSEND_KAFKA_SASL_USERNAME", user),
        ("AFTERSEND_KAFKA_SASL_PASSWORD", PASSWORD),
    ])
}

#[test]
fn every_role_works_with_the_rights_that_are_listed_and_not_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let users = USERS.map(|user| (user, PASSWORD));
    let node = Node::start_secured(folder.path(), &users, &|_| ()).expect("Kafka starts");
    let deployment = Deployment::without_topics_on(Shared::at(node.bootstrap()), "acl", 2);
    let bootstrap = node.secured_bootstrap().expect("a secured listener");
    let env = |user| secured(&bootstrap, user);

    let printed = deployment.run(&["bootstrap", "--acls"], &[]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let acls = acls(&printed.stdout);
    assert!(acls.len() > 40, "{}", printed.stdout);
    let strange = deployment.run(&["bootstrap"], &env("stranger"));
    assert_refused(&strange, 1, &["refuses this client", "AuthorizationFailed"]);
    node.allow(&acls).expect("the rights are granted");
    let made = deployment.run(&["bootstrap"], &env("aftersend-bootstrap"));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    // A topic that may not be described looks missing.
    let mut stranger = deployment.start(Role::Processor, &env("stranger"));
    await_cause(&mut stranger, "is missing");
    assert_eq!(stranger.stop().code, Some(0));

    let vendor = Vendor::start(41, 40);
    let gateway = deployment.start_ready(Role::Gateway, &env("aftersend-gateway"));
    let processor = deployment.start_ready(Role::Processor, &env("aftersend-processor"));
    let customerio = [&env("aftersend-sink-customerio")[..], &vendor.credentials()[..]].concat();
    let customerio = deployment.start_ready(Role::CustomerioSink, &customerio);
    let warehouse = deployment.start_ready(Role::WarehouseSink, &env("aftersend-sink-bigquery"));
    let schedule = vendor.schedule(200, 0.1, 50);
    assert_eq!(vendor.send(gateway.listen, &schedule, PACE).finish().accepted.len(), 200);
    let oracle = verdict::oracle(&[&schedule]);
    verdict::await_processed(&deployment);
    verdict::topics_hold(&deployment, &oracle);
    verdict::warehouse_holds(&deployment, &oracle);
    verdict::profiles_hold(&deployment, &vendor, &oracle);
    for role in [gateway, processor, customerio, warehouse] {
        let exit = role.stop();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(!exit.stderr.contains("AuthorizationFailed"), "{}", exit.stderr);
    }
}
