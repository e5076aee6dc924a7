//! Asks for the ends of partitions on a thread of its own, since a question may wait for a broker.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use kafka::consumer::{Ends, LogId};
use kafka::{Connection, NextOffset};

use super::Error;
use crate::intake::Partition;

/// What brokers said of partitions.
#[derive(Debug)]
pub(super) struct Heard {
    /// Their ends; `None` where no broker said it.
    pub(super) ends: Vec<(Partition, Option<NextOffset>)>,
    /// Their logs; `None` where no broker said it.
    pub(super) logs: Vec<(Partition, Option<LogId>)>,
}

/// One question at a time.
#[derive(Debug)]
pub(super) struct EndsAsker {
    every: Duration,
    questions: Sender<Vec<Partition>>,
    answers: Receiver<Heard>,
    /// What was asked last, and when.
    asked: Option<(Vec<Partition>, Instant)>,
    waiting: bool,
}

impl EndsAsker {
    /// Starts the thread. It ends by itself when this is dropped: nobody waits for it, since a question may
    /// take seconds.
    pub(super) fn start<E: std::error::Error>(
        connection: &Connection,
        name: &str,
        every: Duration,
    ) -> Result<Self, Error<E>> {
        let ends = Ends::new(connection)?;
        let (questions, asked) = channel::<Vec<Partition>>();
        let (told, answers) = channel();
        let asker = thread::Builder::new().name(format!("{name}-ends"));
        asker.spawn(move || answer(&ends, &asked, &told)).map_err(Error::Thread)?;
        Ok(Self { every, questions, answers, asked: None, waiting: false })
    }

    /// The answer that came since the last call, if any. Asks again when it is time, and when other
    /// partitions are wanted.
    pub(super) fn round(&mut self, partitions: &[Partition]) -> Option<Heard> {
        let heard = self.answers.try_recv().ok();
        self.waiting &= heard.is_none();
        let due =
            self.asked.as_ref().is_none_or(|(asked, at)| asked != partitions || at.elapsed() >= self.every);
        if due && !self.waiting {
            // Where the thread has ended no answer comes, and the watch names that.
            self.waiting = self.questions.send(partitions.to_vec()).is_ok();
            self.asked = Some((partitions.to_vec(), Instant::now()));
        }
        heard
    }
}

fn answer(ends: &Ends, asked: &Receiver<Vec<Partition>>, told: &Sender<Heard>) {
    while let Ok(partitions) = asked.recv() {
        let topics: Vec<_> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
        let heard = Heard {
            ends: partitions.iter().cloned().zip(ends.ask(&partitions)).collect(),
            logs: partitions.iter().cloned().zip(ends.ids(&topics)).collect(),
        };
        if told.send(heard).is_err() {
            return;
        }
    }
}
