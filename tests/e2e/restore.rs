//! The processor's disk: one owner, and nothing on it that the changelogs don't have.

use aftersend_tests::vendor::{Pace, Vendor};
use aftersend_tests::world::{Role, World};
use schemas::topic::Topic;

use crate::verdict;

const PACE: Pace = Pace { lanes: 16, calls_per_s: None };

/// P3: the state folder is gone, and the changelogs bring everything back. What was seen before is still a duplicate, and each
/// customer's story goes on where it was.
#[test]
fn p3_a_lost_disk_is_rebuilt_and_still_knows_duplicates() {
    let world = World::new("restore", 3);
    let (vendor, other) = (Vendor::start(21, 80), Vendor::start(22, 80));
    let (seen, fresh) = (vendor.schedule(800, 0.1, 50), other.schedule(300, 0.0, 50));
    let gateway = world.start_ready(Role::Gateway, &[]);
    let processor = world.start_ready(Role::Processor, &[]);
    assert_eq!(vendor.send(gateway.listen, &seen, PACE).finish().accepted.len(), 800);
    verdict::await_processed(&world);
    let outcomes = world.topic(Topic::Warehouse).records().len();
    let exit = processor.stop();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);

    std::fs::remove_dir_all(world.state()).expect("the folder was there");
    let processor = world.start_ready(Role::Processor, &[]);
    assert!(processor.metrics().sum("processor_restored_records_total", None) > 0, "it was rebuilt");
    assert_eq!(vendor.send(gateway.listen, &seen, PACE).finish().accepted.len(), 800);
    verdict::await_processed(&world);
    assert_eq!(world.topic(Topic::Warehouse).records().len(), outcomes, "everything was a duplicate");
    let records = |outcome| processor.metrics().sum("processor_records_total", Some(("outcome", outcome)));
    assert_eq!((records("unique"), records("duplicate")), (0, seen.order().len() as u64));

    assert_eq!(other.send(gateway.listen, &fresh, PACE).finish().accepted.len(), 300);
    verdict::await_processed(&world);
    verdict::topics_hold(&world, &verdict::oracle(&[&seen, &fresh]));
}

/// Two processes on one state folder would tear it apart: the second ends at once, names the folder, and the first doesn't mind.
#[test]
fn a_second_processor_on_one_state_folder_is_refused() {
    let world = World::new("twins", 2);
    let mut first = world.start_ready(Role::Processor, &[]);
    let second = world.start(Role::Processor, &[]).wait();
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(second.stderr.contains(&world.state().display().to_string()), "{}", second.stderr);
    first.assert_alive();
    assert_eq!(first.readiness().expect("an answer").status, 200);
}
