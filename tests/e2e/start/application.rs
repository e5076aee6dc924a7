//! Which processors may share topics: those of one application share all of them, those of two share raw.

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::oracle::Oracle;
use aftersend_tests::vendor::{Pace, Vendor};
use schemas::record::{CustomerTraits, MessageOutcome};
use schemas::topic::{Scope, Topic};

use super::{assert_refused, await_cause};
use crate::verdict;

const PACE: Pace = Pace { lanes: 16, calls_per_s: None };
/// The second application.
const ID: &str = "shadow";

/// A deployment whose events are worked off by a processor that still runs, and what must have come of them.
fn worked_off(name: &str) -> (Deployment, aftersend_tests::process::Process, Oracle) {
    let deployment = Deployment::new(name, 3);
    let vendor = Vendor::start(31, 60);
    let schedule = vendor.schedule(400, 0.1, 50);
    let gateway = deployment.start_ready(Role::Gateway, &[]);
    let processor = deployment.start_ready(Role::Processor, &[]);
    assert_eq!(vendor.send(gateway.listen, &schedule, PACE).finish().accepted.len(), 400);
    verdict::await_processed(&deployment);
    (deployment, processor, verdict::oracle(&[&schedule]))
}

/// P1: a second group on the same changelogs would count each event twice, and tear the changelogs apart.
#[test]
fn p1_a_processor_with_another_group_on_the_same_topics_is_refused_and_doubles_nothing() {
    let (deployment, mut first, oracle) = worked_off("other-group");
    let ends = || Topic::ALL.map(|topic| deployment.topic(topic).ends());
    let before = ends();
    let other = deployment.path("other").display().to_string();
    let env = [("AFTERSEND_PROCESSOR_GROUP", "aftersend.processor.b"), ("AFTERSEND_STATE", other.as_str())];
    let refused = deployment.start(Role::Processor, &env).wait();
    assert_refused(
        &refused,
        64,
        &["AFTERSEND_PROCESSOR_GROUP", "processor.application_id", "stop every processor"],
    );
    assert_refused(
        &deployment.run(&["reset", "processor", "start-over"], &env),
        64,
        &["AFTERSEND_PROCESSOR_GROUP"],
    );
    assert_eq!(ends(), before, "nothing was written");
    first.assert_alive();
    verdict::topics_hold(&deployment, &oracle);
    // The group that follows from the application id may be named.
    let env = [("AFTERSEND_PROCESSOR_GROUP", "aftersend.processor")];
    assert_eq!(deployment.run(&["check-config", "--role", "processor"], &env).code, Some(0));
}

/// P1: a second application reads the same raw from its beginning. Its outputs are its own, and say the same.
/// Those of the first, its group and its changelogs stay as they are.
#[test]
fn p1_a_second_application_leaves_the_first_s_outputs_untouched() {
    let (deployment, mut first, oracle) = worked_off("second");
    let other = deployment.path("other").display().to_string();
    let env = [("AFTERSEND_PROCESSOR_APPLICATION_ID", ID), ("AFTERSEND_STATE", other.as_str())];
    let mut waiting = deployment.start(Role::Processor, &env);
    await_cause(&mut waiting, "v1.shadow is missing");
    assert_eq!(waiting.stop().code, Some(0));

    let written = || -> Vec<_> {
        let topics = Topic::ALL.into_iter().filter(|topic| topic.scope() == Scope::Application);
        topics.map(|topic| deployment.topic(topic).ends()).collect()
    };
    let before = written();
    let made = deployment.run(&["bootstrap"], &env);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let second = deployment.start_ready(Role::Processor, &env);
    let group = deployment.group("aftersend.processor.shadow");
    deployment.topic(Topic::Raw).await_worked_off(&group);
    assert_eq!(written(), before, "the first's topics");
    first.assert_alive();
    verdict::topics_hold(&deployment, &oracle);

    let ids = |topic: aftersend_tests::broker::topic::Topic| {
        let mut ids: Vec<String> = topic
            .decoded::<MessageOutcome<'_>>()
            .into_iter()
            .map(|outcome| outcome.event_id.into_owned())
            .collect();
        ids.sort_unstable();
        ids
    };
    let own = |topic| deployment.topic_of_application(ID, topic);
    assert_eq!(
        ids(own(Topic::Warehouse)),
        ids(deployment.topic(Topic::Warehouse)),
        "each once, as the first has them"
    );
    let keys = |topic: aftersend_tests::broker::topic::Topic| {
        topic.latest::<CustomerTraits>().into_keys().collect::<Vec<_>>()
    };
    assert_eq!(keys(own(Topic::Trait)), keys(deployment.topic(Topic::Trait)));
    assert_eq!(second.stop().code, Some(0));
}
