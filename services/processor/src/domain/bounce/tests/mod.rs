//! The classifier against real replies: `corpus/replies.jsonl`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// A reply with what it means, by its source or by whoever read it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    channel: String,
    provider: String,
    text: String,
    class: String,
    blame: String,
    /// One such failure is enough: the address, or its domain, is dead.
    hard: bool,
    /// Low: nobody can tell the class from the text alone.
    confidence: String,
    source: String,
}

impl Line {
    fn class(&self) -> Class {
        Class::named(&self.class).expect("a class of the product")
    }

    fn decided(&self) -> Classification {
        classify(&self.channel, &self.text)
    }

    /// A third of the corpus was set aside before rules were written. Which third depends on the text alone.
    fn is_set_aside(&self) -> bool {
        fnv(&self.text).is_multiple_of(3)
    }
}

/// FNV-1a: stays the same in every version and language.
fn fnv(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn corpus() -> Vec<Line> {
    let line = |text| serde_json::from_str::<Line>(text).expect("a line of the corpus");
    include_str!("../../../../corpus/replies.jsonl").lines().map(line).collect()
}

fn is_dead(class: Class) -> bool {
    class.effect() == Effect::Dead
}

fn ratio(part: usize, whole: usize) -> f64 {
    let float = |number| f64::from(u32::try_from(number).expect("a small number"));
    if whole == 0 { 1.0 } else { float(part) / float(whole) }
}

/// Counts for one class, or for all hard ones.
#[derive(Default, Clone, Copy)]
struct Score {
    right: usize,
    /// Decided as this class, and another one.
    wrong: usize,
    /// Of this class, and decided as another one.
    missed: usize,
    /// Of this class, and no rule knows them.
    unknown: usize,
}

impl Score {
    fn precision(self) -> f64 {
        ratio(self.right, self.right + self.wrong)
    }

    fn recall(self) -> f64 {
        ratio(self.right, self.right + self.missed)
    }

    fn count(&mut self, is: bool, decided: bool, unknown: bool) {
        self.right += usize::from(is && decided);
        self.wrong += usize::from(!is && decided);
        self.missed += usize::from(is && !decided);
        self.unknown += usize::from(is && unknown);
    }

    fn row(self) -> String {
        let total = self.right + self.missed;
        format!(
            "{total:>4} {:>9.3} {:>7.3} {:>7.3}",
            self.precision(),
            self.recall(),
            ratio(self.unknown, total)
        )
    }
}

/// How the classifier does on these lines.
struct Report {
    classes: BTreeMap<&'static str, Score>,
    dead: Score,
    unknown: usize,
    lines: usize,
    /// Lines with a sender's or a content's fault that was blamed on the recipient.
    wronged: Vec<String>,
}

impl Report {
    fn of<'a>(lines: impl Iterator<Item = &'a Line>) -> Self {
        let mut report = Self {
            classes: BTreeMap::new(),
            dead: Score::default(),
            unknown: 0,
            lines: 0,
            wronged: Vec::new(),
        };
        for line in lines {
            let (is, decided) = (line.class(), line.decided());
            let unknown = decided.rule == NO_RULE && is != Class::Unknown;
            report.lines += 1;
            report.unknown += usize::from(unknown);
            for class in BTreeSet::from([is, decided.class]) {
                report.classes.entry(class.as_str()).or_default().count(
                    is == class,
                    decided.class == class,
                    unknown,
                );
            }
            report.dead.count(line.hard, is_dead(decided.class), unknown);
            if matches!(is.blame(), Blame::Sender | Blame::Content)
                && decided.class.blame() == Blame::Recipient
            {
                report.wronged.push(format!("{} by {}: {}", line.id, decided.rule, line.text));
            }
        }
        report
    }

    fn table(&self, title: &str) -> String {
        let head =
            format!("{title}: {} replies\n{:<32}    n precision  recall unknown\n", self.lines, "class");
        let told = self.classes.iter().filter(|(_, score)| score.right + score.missed >= 10);
        let rows = told.map(|(class, score)| format!("{class:<32} {}\n", score.row()));
        let dead = format!("{:<32} {}\n", "(dead address or domain)", self.dead.row());
        head + &rows.collect::<String>()
            + &dead
            + &format!("unknown {:.3}\n", ratio(self.unknown, self.lines))
    }
}

#[test]
fn real_replies_are_classed_within_the_targets() {
    let corpus = corpus();
    let aside = Report::of(corpus.iter().filter(|line| line.is_set_aside()));
    let written = Report::of(corpus.iter().filter(|line| !line.is_set_aside()));
    println!("{}\n{}", written.table("rules written for"), aside.table("set aside"));
    for report in [&written, &aside] {
        assert_eq!(report.wronged, [""; 0], "a sender's or content's fault was blamed on the recipient");
        assert!(report.dead.recall() >= 0.95, "recall of dead addresses {}", report.dead.recall());
        assert!(report.dead.precision() >= 0.98, "precision of dead addresses {}", report.dead.precision());
    }
    assert!(ratio(aside.unknown, aside.lines) <= 0.08, "{} of {} unknown", aside.unknown, aside.lines);
}

#[test]
fn each_fifth_of_the_corpus_alone_reaches_the_targets_for_recipients() {
    let corpus = corpus();
    for fold in 0..5 {
        let report = Report::of(corpus.iter().filter(|line| (fnv(&line.text) >> 8) % 5 == fold));
        assert!(report.lines > 100, "fold {fold} has {} lines", report.lines);
        assert_eq!(report.wronged, [""; 0], "fold {fold}");
        assert!(report.dead.recall() >= 0.95, "fold {fold}: recall {}", report.dead.recall());
        assert!(report.dead.precision() >= 0.98, "fold {fold}: precision {}", report.dead.precision());
    }
}

#[test]
fn every_rule_decides_a_line_of_the_corpus() {
    let decided: HashSet<_> =
        corpus().iter().map(|line| (line.channel.clone(), line.decided().rule)).collect();
    for (channel, ruleset) in RULESETS.iter() {
        let used = |id: &&str| decided.contains(&((*channel).to_owned(), *id));
        let idle: Vec<_> = ruleset.rules().map(|rule| rule.id).filter(|id| !used(id)).collect();
        assert_eq!(idle, [""; 0], "rules of {channel} without a line");
    }
}

#[test]
fn a_rule_s_id_is_its_own() {
    let mut seen = HashSet::new();
    for rule in RULESETS.iter().flat_map(|(_, ruleset)| ruleset.rules()) {
        assert!(seen.insert(rule.id), "{} twice", rule.id);
    }
    assert!(!seen.contains(NO_RULE));
}

#[test]
fn the_words_of_rules_are_words_as_replies_have_them() {
    for rule in RULESETS.iter().flat_map(|(_, ruleset)| ruleset.rules()) {
        for text in rule.has.iter().flatten().chain(&rule.not).flatten().flatten() {
            // After a code, as replies have them: a number alone would be one.
            let read = Reply::read(&format!("599{text}")).words;
            assert!(read.starts_with(text.as_str()), "{}: {text:?} is read as {read:?}", rule.id);
        }
    }
}

#[test]
fn the_corpus_is_labelled_with_the_product_s_classes() {
    let mut ids = HashSet::new();
    for line in corpus() {
        assert!(ids.insert(line.id.clone()), "{} twice", line.id);
        assert_eq!(line.class().blame().as_str(), line.blame, "{}", line.id);
        assert!(["high", "medium", "low"].contains(&&*line.confidence), "{}", line.id);
        assert!(!line.source.is_empty() && !line.provider.is_empty(), "{} has no source", line.id);
    }
}

#[test]
fn a_sender_or_content_fault_never_suppresses_a_recipient() {
    for class in Class::ALL {
        let of_sender = matches!(class.blame(), Blame::Sender | Blame::Content);
        assert!(!(of_sender && class.effect().suppresses()), "{class:?} suppresses");
    }
}

#[test]
fn classes_are_only_ever_appended() {
    let names: Vec<_> = Class::ALL.iter().map(|class| class.as_str()).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "two classes with one name");
    assert_eq!(
        names.join(" "),
        include_str!("../classes_v1.txt").trim(),
        "new classes go to the end, of this file too"
    );
}

#[test]
fn a_channel_without_rules_knows_nothing() {
    let decided = classify("webhook", "550 5.1.1 user unknown");
    assert_eq!(decided, Classification { class: Class::Unknown, confidence: Confidence::Low, rule: NO_RULE });
}

proptest! {
    #[test]
    fn any_text_has_a_class(text in any::<String>(), channel in "email|sms|push|whatsapp|") {
        let decided = classify(&channel, &text);
        prop_assert_eq!(decided.rule == NO_RULE, decided.class == Class::Unknown && decided.confidence == Confidence::Low);
    }

    /// No address is dead while its server asks for another attempt.
    #[test]
    fn a_temporary_reply_kills_no_address(index in any::<prop::sample::Index>(), code in "4[0-9]{2}( 4\\.[0-9]\\.[0-9])?") {
        let lines = corpus();
        let words = Reply::read(&index.get(&lines).text).words;
        let decided = classify("email", &(code + &words));
        prop_assert_ne!(decided.class.effect(), Effect::Dead, "{:?}", decided);
    }

    #[test]
    fn any_bytes_have_a_class(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
        let _ = classify("email", &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn only_the_first_two_kibibytes_count(head in "[a-z0-9 <>@.é-]{2048,2200}", tail in any::<String>()) {
        let cut = &head[..head.floor_char_boundary(REPLY_BYTES_MAX)];
        let read = |text: &str| Reply::read(text);
        prop_assert_eq!(read(cut), read(&(head.clone() + &tail)));
        prop_assert_eq!(classify("email", cut), classify("email", &(head.clone() + &tail)));
    }

    /// Lines and their ends change nothing.
    #[test]
    fn a_reply_in_several_lines_means_the_same(index in any::<prop::sample::Index>()) {
        let lines: Vec<_> = corpus().into_iter().filter(|line| line.channel == "email").collect();
        let line = index.get(&lines);
        let folded = line.text.replace(' ', "\r\n");
        prop_assert_eq!(classify("email", &folded), line.decided());
    }
}
