//! The processor's disk: one owner, and nothing on it that the changelogs don't have.

use aftersend_tests::deployment::{Deployment, Role};
use aftersend_tests::vendor::{Pace, Vendor};
use aftersend_tests::wait::{PATIENCE, await_that, await_until};
use schemas::topic::Topic;

use crate::verdict;

const PACE: Pace = Pace { lanes: 16, calls_per_s: None };

/// P3: the state folder is gone, and the changelogs bring everything back. What was seen before is still a
/// duplicate, and each customer's story goes on where it was.
#[test]
fn p3_a_lost_disk_is_rebuilt_and_still_knows_duplicates() {
    let deployment = Deployment::new("restore", 3);
    let (vendor, other) = (Vendor::start(21, 80), Vendor::start(22, 80));
    let (seen, fresh) = (vendor.schedule(800, 0.1, 50), other.schedule(300, 0.0, 50));
    let gateway = deployment.start_ready(Role::Gateway, &[]);
    let processor = deployment.start_ready(Role::Processor, &[]);
    assert_eq!(vendor.send(gateway.listen, &seen, PACE).finish().accepted.len(), 800);
    verdict::await_processed(&deployment);
    let outcomes = deployment.topic(Topic::Warehouse).records().len();
    let exit = processor.stop();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);

    std::fs::remove_dir_all(deployment.state()).expect("the folder was there");
    let processor = deployment.start_ready(Role::Processor, &[]);
    assert!(
        processor.metrics().sum("aftersend_processor_restored_records_total", None) > 0,
        "it was rebuilt"
    );
    assert_eq!(vendor.send(gateway.listen, &seen, PACE).finish().accepted.len(), 800);
    verdict::await_processed(&deployment);
    assert_eq!(deployment.topic(Topic::Warehouse).records().len(), outcomes, "everything was a duplicate");
    let records =
        |outcome| processor.metrics().sum("aftersend_processor_records_total", Some(("outcome", outcome)));
    assert_eq!((records("unique"), records("duplicate")), (0, seen.order().len() as u64));

    assert_eq!(other.send(gateway.listen, &fresh, PACE).finish().accepted.len(), 300);
    verdict::await_processed(&deployment);
    verdict::topics_hold(&deployment, &verdict::oracle(&[&seen, &fresh]));
}

/// Two processes on one state folder would tear it apart: the second ends at once, names the folder, and the
/// first doesn't mind.
#[test]
fn a_second_processor_on_one_state_folder_is_refused() {
    let deployment = Deployment::new("twins", 2);
    let mut first = deployment.start_ready(Role::Processor, &[]);
    let second = deployment.start(Role::Processor, &[]).wait();
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(second.stderr.contains(&deployment.state().display().to_string()), "{}", second.stderr);
    first.assert_alive();
    assert_eq!(first.readiness().expect("an answer").status, 200);
}

/// A reset is refused while a processor runs, told partition by partition before it is done, and done when
/// told so: the input is read once more, and its outcomes are emitted once more.
#[test]
fn a_reset_is_told_before_it_is_done() {
    let deployment = Deployment::new("reset", 2);
    let vendor = Vendor::start(23, 40);
    let schedule = vendor.schedule(200, 0.1, 50);
    let gateway = deployment.start_ready(Role::Gateway, &[]);
    let processor = deployment.start_ready(Role::Processor, &[]);
    assert_eq!(vendor.send(gateway.listen, &schedule, PACE).finish().accepted.len(), 200);
    verdict::await_processed(&deployment);
    let outcomes = deployment.topic(Topic::Warehouse).records().len();
    let reset = |more: &[&str]| deployment.run(&[&["reset", "processor", "start-over"], more].concat(), &[]);
    let refused = reset(&["--yes"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("aftersend.processor"), "{}", refused.stderr);

    assert_eq!(processor.stop().code, Some(0));
    // Its session lasts a while longer.
    let told = await_until("the group to be empty", PATIENCE, || {
        Some(reset(&[])).filter(|exit| exit.code == Some(0))
    });
    for said in ["partition 0", "partition 1", "Nothing was done", "--yes"] {
        assert!(told.stdout.contains(said), "{said:?} is not in: {}", told.stdout);
    }
    let done = reset(&["--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("partition 1 was reset"), "{}", done.stdout);

    let _processor = deployment.start_ready(Role::Processor, &[]);
    await_that("everything to be emitted once more", || {
        deployment.topic(Topic::Warehouse).records().len() == 2 * outcomes
    });
    verdict::await_processed(&deployment);
}
