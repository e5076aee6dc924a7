//! Model.
mod explore;
mod oracle;
mod teeth;
mod world;

use crate::explore::explore;
use crate::world::Scene;

fn scene(ids: [&[u8]; 2], faults: u8) -> Scene {
    Scene { owners: 2, ids: ids.map(<[u8]>::to_vec), batch: 2, faults, breakages: Vec::new() }
}

#[test]
fn p1_p2_one() {
    for faults in 0..=std::env::var("F").map_or(2, |f| f.parse().unwrap()) {
        let t = std::time::Instant::now();
        match explore(&scene([&[0, 1, 2], &[]], faults), |_| true) {
            Ok(e) => println!("{faults} {e:?} {:?}", t.elapsed()),
            Err(s) => panic!("{s}"),
        }
    }
}

#[test]
fn p1_p2_two() {
    for faults in 0..=std::env::var("F").map_or(1, |f| f.parse().unwrap()) {
        let t = std::time::Instant::now();
        match explore(&scene([&[0, 1], &[0]], faults), |_| true) {
            Ok(e) => println!("{faults} {e:?} {:?}", t.elapsed()),
            Err(s) => panic!("{s}"),
        }
    }
}
