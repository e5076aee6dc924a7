//! The demo as a script runs it.

use aftersend_tests::deployment::Deployment;
use aftersend_tests::warehouse::Warehouse;
use serde_json::Value;

const EVENTS: u64 = 900;

/// E1: progress on stderr, one object as the last line of stdout, the warehouse left behind with one row per
/// event, and in between a crash.
#[test]
fn the_demo_proves_itself_and_leaves_the_warehouse() {
    // Its own topics are made under a prefix of its own.
    let deployment = Deployment::without_topics("demo", 6);
    let data = deployment.path("demo");
    let folder = data.display().to_string();
    let events = EVENTS.to_string();
    let arguments = [
        &["--events", &events, "--duplicates", "0.2", "--seed", "4"][..],
        &["--pace", "400", "--data", &folder, "--once", "--json"],
    ];
    let exit = deployment.run_demo(&arguments.concat());
    assert_eq!(exit.code, Some(0), "{}{}", exit.stdout, exit.stderr);
    let last = exit.stdout.lines().last().expect("a last line");
    let figures: Value = serde_json::from_str(last).expect("one JSON object");
    let figure = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name} is missing: {last}"));
    assert_eq!(figures["ok"], true, "{last}");
    assert_eq!([figure("sent"), figure("stored"), figure("unique")], [EVENTS; 3], "{last}");
    assert_eq!([figure("conflicts"), figure("dead_lettered"), figure("restarts")], [0, 0, 1], "{last}");
    assert_eq!(figure("raw"), figure("unique") + figure("duplicates"), "{last}");
    assert!(figure("accepted") >= EVENTS * 6 / 5 && figure("raw") >= figure("accepted"), "{last}");
    assert!(figure("customers") > 0 && figure("suppressed") > 0 && figure("track_calls") > 0, "{last}");
    let warehouse = Warehouse::open(&data.join("warehouse.sqlite"));
    assert_eq!((warehouse.stored(), warehouse.conflicts()), (EVENTS, 0));
}
