//! Disks that rot, are mixed up, or are full.

use std::fs;
use std::process::Command;

use aftersend_tests::wait::{PATIENCE, await_until};
use schemas::topic::Topic;

use super::survives;
use crate::fault::{Damage, Fault};
use crate::run::dice::{self, Dice};
use crate::run::{ChaosRun, Kafka, Plan};

/// Dice of where files are damaged.
const DAMAGE: u64 = 4;
/// A write beyond the limit on a file's size fails with an error, as on a full disk, and doesn't end the
/// process.
const UNDER_A_LIMIT: [&str; 4] = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];
/// How much more each file may grow.
const ROOM: u64 = 32 << 10;

/// P1, P3: C11: whatever of a store is damaged, it is opened as it was, or wiped and restored.
#[test]
fn p1_p3_a_damaged_store_is_not_believed() {
    let mut dice = Dice::new(dice::seed(), DAMAGE);
    let damages = Damage::ALL.map(|damage| Fault::Damaged { who: 0, damage, dice: dice.below(u64::MAX) });
    survives("p1_p3_a_damaged_store", Kafka::shared(), 1, &damages);
}

/// P1: a store that was made for another partition is refused, by name, and taken again where it belongs.
#[test]
fn p1_a_store_of_another_partition_is_refused() {
    let mut run = ChaosRun::new("p1_a_store_of_another", Kafka::shared(), Plan::default());
    run.begin();
    run.instances[0].stop();
    let stores = run.instances[0].disk.join(run.deployment.topics().name(Topic::Raw));
    let swap = || {
        let [one, other, aside] = ["0", "1", "aside"].map(|name| stores.join(name));
        for (from, to) in [(&one, &aside), (&other, &one), (&aside, &other)] {
            fs::rename(from, to).expect("a folder can be renamed");
        }
    };
    swap();
    run.start(0);
    let exit = run.instances[0].await_end();
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(
        exit.stderr.contains(&stores.join("0").display().to_string())
            || exit.stderr.contains(&stores.join("1").display().to_string()),
        "{}",
        exit.stderr
    );
    swap();
    run.start(0);
    run.await_commit(0);
    run.verify();
}

/// P1: a store that belongs to another cluster, where topics and group have the same names, is refused; and
/// taken again at home.
#[test]
fn p1_a_store_of_another_cluster_is_refused() {
    let mut run = ChaosRun::new("p1_a_store_of_another_cluster", Kafka::shared(), Plan::default());
    run.begin();
    run.instances[0].stop();
    let (other, disk) = (Kafka::own(1), run.instances[0].disk.display().to_string());
    let bootstrap = other.bootstrap();
    let env = [("AFTERSEND_KAFKA", bootstrap.as_str()), ("AFTERSEND_STATE", &disk)];
    assert_eq!(run.deployment.run(&["bootstrap"], &env).code, Some(0));
    let exit = run.deployment.run(&["processor"], &env);
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains(&disk) && exit.stderr.contains("belongs to"), "{}", exit.stderr);
    run.start(0);
    run.await_commit(0);
    run.verify();
}

/// P1, P2: the disk takes nothing more, though Kafka has committed: the processor says that it isn't ready,
/// or ends; with room again it goes on, and nothing is missing.
#[test]
fn p1_p2_a_full_disk_costs_nothing() {
    let mut run = ChaosRun::new("p1_p2_a_full_disk", Kafka::shared(), Plan::default());
    run.instances[0].under(&UNDER_A_LIMIT);
    run.begin();
    let largest = run.instances[0].largest_file();
    limit(run.instances[0].pid(), &format!("{}:", largest + ROOM));
    await_until("the processor to notice", PATIENCE, || (!run.instances[0].works()).then_some(()));
    if run.instances[0].has_ended() {
        let exit = run.instances[0].await_end();
        assert_ne!(exit.code, Some(0), "it didn't end well");
        run.start(0);
    } else {
        limit(run.instances[0].pid(), "unlimited:");
    }
    await_until("the processor to go on", PATIENCE, || {
        if run.instances[0].has_ended() {
            run.instances[0].await_end();
            run.start(0);
        }
        run.instances[0].works().then_some(())
    });
    run.verify();
}

fn limit(pid: Option<u32>, size: &str) {
    let pid = pid.expect("it runs").to_string();
    let set = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={size}")]).status();
    assert!(set.expect("prlimit can be run").success());
}
