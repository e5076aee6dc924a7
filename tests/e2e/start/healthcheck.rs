//! What supervisors without `curl` ask, and the simulated Customer.io as a process of its own.

use std::net::SocketAddr;

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::process::{Exit, Process, free, http};
use aftersend_tests::wait::{PATIENCE, await_until};
use schemas::topic::Topic;

/// Runs `aftersend healthcheck` against the admin port of `process`.
fn check(deployment: &Deployment, process: &Process, arguments: &[&str]) -> Exit {
    let admin = process.admin.to_string();
    // Nothing but the admin port: a health check needs no other setting.
    let env = [("AFTERSEND_ADMIN", admin.as_str()), ("AFTERSEND_KAFKA", "")];
    deployment.run(&[&["healthcheck"], arguments].concat(), &env)
}

/// G6: a gateway whose Kafka is away lives and answers health checks, and the cause of what is wrong is told.
#[test]
fn a_healthcheck_is_an_exit_code_and_a_cause() {
    let deployment = Deployment::without_topics("healthcheck", 2);
    let nowhere = free().to_string();
    let mut gateway = deployment.start(Role::Gateway, &[("AFTERSEND_KAFKA", &nowhere)]);
    await_until("the gateway to live", PATIENCE, || {
        gateway.assert_alive();
        (check(&deployment, &gateway, &[]).code == Some(0)).then_some(())
    });
    let url = format!("http://{}/healthz", gateway.listen);
    await_until("the gateway to listen", PATIENCE, || http::get(gateway.listen, "/healthz").ok());
    let asked = check(&deployment, &gateway, &["--url", &url]);
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);

    let unready = check(&deployment, &gateway, &["--ready"]);
    let readiness = gateway.readiness().expect("the admin port answers");
    assert_eq!(unready.code, Some(i32::from(readiness.status != 200)), "{}", unready.stderr);
    let missing = check(&deployment, &gateway, &["--url", &format!("http://{}/nothing", gateway.listen)]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("404"), "{}", missing.stderr);

    assert_eq!(gateway.stop().code, Some(0));
    let dead = deployment.run(&["healthcheck", "--url", &url], &[]);
    assert_eq!(dead.code, Some(1));
    assert!(dead.stderr.contains("does not answer"), "{}", dead.stderr);
}

/// The simulator's webhooks are signed and taken, copies among them, and it ends when it is asked to.
#[test]
fn the_simulator_is_a_customer_io_of_its_own() {
    let deployment = Deployment::new("simulator", 2);
    let gateway = deployment.start_ready(Role::Gateway, &[]);
    let listen: SocketAddr = free();
    let (track, origin) = (listen.to_string(), format!("http://{}", gateway.listen));
    let arguments =
        ["simulator", "--listen", &track, "--gateway", &origin, "--pace", "200", "--duplicates", "0.2"];
    let mut simulator = deployment.start_demo(&arguments, &[]);
    simulator.await_ready();
    let admin = simulator.admin.to_string();
    let asked = deployment.start_demo(&["healthcheck", "--ready"], &[("AFTERSEND_ADMIN", &admin)]).wait();
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    // More than one round.
    await_until("webhooks to reach raw", PATIENCE, || {
        simulator.assert_alive();
        (deployment.topic(Topic::Raw).length() > 700).then_some(())
    });
    let unauthorized = http::get(listen, "/api/v1/accounts/region").expect("the Track API answers");
    assert_eq!(unauthorized.status, 401);
    let exit = simulator.stop();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let refused = gateway.metrics().sum("aftersend_gateway_requests_refused_total", None);
    assert_eq!(refused, 0, "no webhook is refused");
}

/// Without the key nothing can be signed, and the simulator says so.
#[test]
fn a_simulator_without_a_key_names_the_setting() {
    let deployment = Deployment::without_topics("keyless", 2);
    let arguments = ["simulator", "--gateway", "http://127.0.0.1:1"];
    let exit = deployment.start_demo(&arguments, &[("CUSTOMERIO_WEBHOOK_SIGNING_KEY", "")]).wait();
    assert_eq!(exit.code, Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("CUSTOMERIO_WEBHOOK_SIGNING_KEY"), "{}", exit.stderr);
}
