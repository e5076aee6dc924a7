//! The demo from start to end: send, crash the processor, wait until all has arrived, prove it.

mod screen;

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use devkit::customerio::webhook::{Ended, Sender};
use lifecycle::Stop;

use crate::cli::Arguments;
use crate::count::Counts;
use crate::proof::{self, Proof};
use crate::topology::Topology;
use screen::Screen;

/// How often the table is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(400);
/// With everything sent, this long without any change ends the waiting.
const SETTLE_WITHIN: Duration = Duration::from_secs(45);
/// What earlier demos leave in the data folder.
const LEFTOVERS: [&str; 10] = [
    "kafka",
    "state",
    "bootstrap.log",
    "gateway.log",
    "processor.log",
    "sink-customerio.log",
    "sink-bigquery.log",
    "warehouse.sqlite",
    "warehouse.sqlite-wal",
    "warehouse.sqlite-shm",
];

/// Runs the demo. Exit code 0 if the proof holds, or if it was stopped before there was one.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let once = arguments.once || arguments.json || !std::io::stdout().is_terminal();
    telemetry::init(&quiet_logs())?;
    let stop = Stop::new();
    stop.on_signals();
    clear(&arguments.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let started = Instant::now();
    let mut topology = Topology::start(arguments, &runtime)?;
    say(&format!("everything is up after {:.1} s; sending webhooks", started.elapsed().as_secs_f64()));

    let proof = match drive(arguments, &mut topology, &runtime, &stop)? {
        Some(counts) => Proof::new(&topology, &counts)?,
        None => {
            say("stopped before the proof");
            topology.stop(&runtime);
            return Ok(if arguments.json { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
    };
    if arguments.json {
        eprintln!("{proof}");
    } else {
        println!("{proof}");
    }
    if !once {
        println!("{}", topology.what_next());
        while !stop.wait_timeout(Duration::from_secs(1)) {}
    }
    topology.stop(&runtime);
    if arguments.json {
        println!("{}", serde_json::to_string(&proof.figures)?);
    }
    Ok(if proof.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A line of progress.
pub(crate) fn say(line: &str) {
    eprintln!("  {line}");
}

/// Sends everything, kills the processor in the middle, and waits until all has arrived. `None` if it was
/// stopped.
fn drive(
    arguments: &Arguments,
    topology: &mut Topology,
    runtime: &tokio::runtime::Runtime,
    stop: &Stop,
) -> anyhow::Result<Option<Counts>> {
    let sender = Sender::new(topology.sender_settings(arguments))?;
    let stats = sender.stats();
    let schedule = topology.schedule.clone();
    let ended = stop.clone();
    let sending =
        runtime.spawn(async move { sender.run(&schedule, async move { ended.wait().await }).await.ended });
    let total = topology.schedule.order().len() as u64;
    let mut screen = Screen::new();
    let mut counts = Counts::default();
    let mut changed = Instant::now();
    loop {
        if stop.wait_timeout(DRAW_EVERY) {
            return Ok(None);
        }
        let before = counts.clone();
        counts = topology.count(&stats.read())?;
        screen.draw(&counts, topology, total);
        if counts != before {
            changed = Instant::now();
        }
        if topology.restarts() == 0 && counts.accepted * 2 >= total {
            topology.kill_and_restart_processor()?;
        }
        let arrived = sending.is_finished() && proof::has_arrived(topology, &counts);
        if arrived || (sending.is_finished() && changed.elapsed() > SETTLE_WITHIN) {
            break;
        }
    }
    let ended = runtime.block_on(sending).context("the sender died")?;
    Ok((ended == Ended::Complete).then_some(counts))
}

/// Warnings would tear the table apart; the processor's own log has everything.
fn quiet_logs() -> telemetry::Settings {
    telemetry::Settings { level: "error".to_owned(), ..telemetry::Settings::default() }
}

/// Takes away what an earlier demo left, and nothing else.
fn clear(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} can't be made: choose --data", folder.display()))?;
    for name in LEFTOVERS {
        let path = folder.join(name);
        let outcome =
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match outcome {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} can't be removed", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
