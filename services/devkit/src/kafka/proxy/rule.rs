use super::{Api, Request};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The broker never sees it, and the client's connection ends.
    Drop,
    /// The broker sees it and answers. The client gets no answer: its connection ends.
    LoseReply,
    /// The client gets the answer with -1 in the place of every time of today, as from a broker that does not
    /// tell when it appended a record.
    ForgetTimes,
    /// The broker gets it this much later, and so everything that the client sends after it on this
    /// connection. The broker gets it even if the client has closed the connection.
    Delay(Duration),
    /// Held until [`Strike::release`]. With [`Link::cut`](super::Link::cut) in between, the broker gets it
    /// from a connection that the client no longer has: the late request that KIP-890 is about.
    Hold,
}

/// Which request, and what happens to it.
pub struct Rule {
    api: Api,
    action: Action,
    skipped: u32,
    times: u32,
    condition: Box<Condition>,
}

type Condition = dyn Fn(&Request) -> bool + Send + Sync;

impl Rule {
    /// The next request of this kind, and only that one.
    #[must_use]
    pub fn new(api: Api, action: Action) -> Rule {
        Rule { api, action, skipped: 0, times: 1, condition: Box::new(|_| true) }
    }

    /// Only requests for which this returns true.
    #[must_use]
    pub fn when(mut self, condition: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Rule {
        self.condition = Box::new(condition);
        self
    }

    /// Only requests of this transactional id.
    #[must_use]
    pub fn of_transaction(self, id: &str) -> Rule {
        let id = id.to_owned();
        self.when(move |request| request.transactional_id.as_ref() == Some(&id))
    }

    /// Not the first `skipped` of them.
    #[must_use]
    pub fn after(mut self, skipped: u32) -> Rule {
        self.skipped = skipped;
        self
    }

    /// This many in a row; `u32::MAX` for as long as the rule is armed.
    #[must_use]
    pub fn times(mut self, times: u32) -> Rule {
        self.times = times;
        self
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { api, action, skipped, times, .. } = self;
        write!(f, "{action:?} on {times} of {api:?} after {skipped}")
    }
}

/// An armed rule. Dropping it disarms the rule and releases what it holds.
#[derive(Debug)]
#[must_use = "dropping it takes the rule back"]
pub struct Strike {
    armed: Arc<Armed>,
    book: Arc<Book>,
}

impl Strike {
    pub(super) fn arm(book: &Arc<Book>, rule: Rule) -> Strike {
        let armed = Arc::new(Armed { rule, progress: Mutex::default(), changed: Condvar::new() });
        locked(&book.pages).rules.push(Arc::clone(&armed));
        Strike { armed, book: Arc::clone(book) }
    }

    /// Waits until the rule has acted, and returns the request on which it acted last; `None` if it has not
    /// within `patience`.
    #[must_use]
    pub fn await_struck(&self, patience: Duration) -> Option<Request> {
        self.armed.wait(patience, |progress| progress.struck.is_some()).struck.clone()
    }

    /// Waits until a broker has answered a request on which the rule acted, whether or not the client got the
    /// answer. Returns whether that happened within `patience`.
    #[must_use]
    pub fn await_answered(&self, patience: Duration) -> bool {
        self.armed.wait(patience, |progress| progress.answered).answered
    }

    /// Releases what is held, on its way to the broker.
    pub fn release(&self) {
        self.armed.advance(|progress| progress.released = true);
    }
}

impl Drop for Strike {
    fn drop(&mut self) {
        locked(&self.book.pages).rules.retain(|armed| !Arc::ptr_eq(armed, &self.armed));
        self.release();
    }
}

/// A rule and how often it has acted.
#[derive(Debug)]
pub(super) struct Armed {
    rule: Rule,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    /// Requests that met the rule.
    met: u32,
    struck: Option<Request>,
    released: bool,
    answered: bool,
}

impl Armed {
    pub(super) fn action(&self) -> Action {
        self.rule.action
    }

    /// Whether the rule acts on this request.
    fn meets(&self, request: &Request) -> bool {
        let Rule { api, skipped, times, condition, .. } = &self.rule;
        if *api != request.api || !condition(request) {
            return false;
        }
        let mut acts = false;
        self.advance(|progress| {
            acts = (*skipped..skipped.saturating_add(*times)).contains(&progress.met);
            progress.met = progress.met.saturating_add(1);
            if acts {
                progress.struck = Some(request.clone());
            }
        });
        acts
    }

    pub(super) fn answered(&self) {
        self.advance(|progress| progress.answered = true);
    }

    pub(super) fn await_release(&self) {
        let held = self.changed.wait_while(locked(&self.progress), |progress| !progress.released);
        drop(held.unwrap_or_else(PoisonError::into_inner));
    }

    fn advance(&self, step: impl FnOnce(&mut Progress)) {
        step(&mut locked(&self.progress));
        self.changed.notify_all();
    }

    fn wait(&self, patience: Duration, done: impl Fn(&Progress) -> bool) -> MutexGuard<'_, Progress> {
        let waited =
            self.changed.wait_timeout_while(locked(&self.progress), patience, |progress| !done(progress));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The rules that are armed, and what was seen.
#[derive(Debug, Default)]
pub(super) struct Book {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    rules: Vec<Arc<Armed>>,
    requests: BTreeMap<Api, u64>,
}

impl Book {
    /// Counts the request. Returns the rule that acts on it.
    pub(super) fn judge(&self, request: &Request) -> Option<Arc<Armed>> {
        let mut pages = locked(&self.pages);
        *pages.requests.entry(request.api).or_default() += 1;
        pages.rules.iter().find(|armed| armed.meets(request)).map(Arc::clone)
    }

    pub(super) fn requests(&self, api: Api) -> u64 {
        locked(&self.pages).requests.get(&api).copied().unwrap_or_default()
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(id: &str) -> Request {
        Request {
            node: 0,
            api: Api::END_TXN,
            version: 1,
            client_id: None,
            transactional_id: Some(id.to_owned()),
            commits: Some(true),
            correlation: 0,
        }
    }

    fn acts(book: &Book, request: &Request) -> bool {
        book.judge(request).is_some()
    }

    #[test]
    fn a_rule_acts_on_its_own_requests_after_some_and_so_many_times() {
        let book = Arc::<Book>::default();
        let rule = Rule::new(Api::END_TXN, Action::Drop).of_transaction("a").after(1).times(2);
        let strike = Strike::arm(&book, rule);
        let seen = ["a", "b", "a", "b", "a", "a"].map(|id| acts(&book, &end(id)));
        assert_eq!(seen, [false, false, true, false, true, false]);
        assert!(!acts(&book, &Request { api: Api::PRODUCE, ..end("a") }));
        assert_eq!((book.requests(Api::END_TXN), book.requests(Api::PRODUCE)), (6, 1));
        assert_eq!(strike.await_struck(Duration::ZERO), Some(end("a")));
        assert!(!strike.await_answered(Duration::ZERO));
    }

    #[test]
    fn a_rule_that_was_taken_back_acts_no_more_and_holds_nothing() {
        let book = Arc::<Book>::default();
        let strike = Strike::arm(&book, Rule::new(Api::END_TXN, Action::Hold).times(u32::MAX));
        let held = book.judge(&end("a")).unwrap();
        drop(strike);
        held.await_release();
        assert!(!acts(&book, &end("a")));
    }

    #[test]
    fn of_two_rules_the_first_armed_acts() {
        let book = Arc::<Book>::default();
        let arm = |action| Strike::arm(&book, Rule::new(Api::END_TXN, action));
        let _strikes = (arm(Action::Drop), arm(Action::LoseReply));
        let actions = [0, 1].map(|_| book.judge(&end("a")).unwrap().action());
        assert_eq!(actions, [Action::Drop, Action::LoseReply]);
    }
}
