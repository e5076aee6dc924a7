//! One Kafka node: its folder, its ports, and how it starts and stops.

mod acl;
mod config;
mod probe;
mod process;
#[cfg(test)]
mod tests;

use super::error::tail;
use super::{Error, Proxy, VERSION, jars, port};
pub use acl::{Acl, AclResource};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use config::{Proxied, Seat, Secured};
use probe::Wanted;
use process::Process;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a start may take on a machine that is busy compiling. On an idle machine it takes about 5 s.
const START_MAX: Duration = Duration::from_secs(90);
/// How long a node may take to end after SIGTERM before it gets SIGKILL. On an idle machine it takes half a
/// second.
const STOP_MAX: Duration = Duration::from_secs(20);
/// How long a folder may still be in use. When the owner of a broker is killed, the broker is killed shortly
/// after.
const RELEASE_MAX: Duration = Duration::from_secs(3);
/// Between two looks at a starting broker.
const POLL: Duration = Duration::from_millis(50);
const LOG: &str = "kafka.log";
/// How often new ports are tried, if another process took ours between the choice and the start.
const PORT_ATTEMPTS: u32 = 3;

/// A running Kafka, or one that was killed or stopped and can be started again. Dropping it stops it.
#[derive(Debug)]
pub struct Node {
    dir: PathBuf,
    jars: PathBuf,
    log: File,
    /// Empty until the folder is formatted.
    cluster_id: String,
    seat: Seat,
    bootstrap: String,
    /// Further arguments of its JVM.
    jvm: &'static [&'static str],
    process: Option<Process>,
}

impl Node {
    /// Starts a cluster of one node in `dir`, and returns when it serves. A new folder is formatted. A folder
    /// that a node has used keeps its topics and its cluster id, and gets new ports. The jars come from
    /// [`crate::cache_dir`]. `dir` holds `kafka.log`, `server.properties` and `data/`.
    ///
    /// # Errors
    /// If Java or Maven is missing, the folder cannot be used, or Kafka does not start (with the end of its
    /// log).
    pub fn start(dir: &Path, progress: &dyn Fn(&str)) -> Result<Node, Error> {
        Node::start_with(config::JVM_OF_A_SHORT_LIFE, dir, progress)
    }

    /// As [`Node::start`], for a node that is measured over minutes. Its JVM has the heap of a real broker,
    /// and its second compiler is on. The compiler needs a core for the first minutes, and halves the cost of
    /// a request from then on.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_lasting(dir: &Path, progress: &dyn Fn(&str)) -> Result<Node, Error> {
        Node::start_with(config::JVM_OF_A_LONG_LIFE, dir, progress)
    }

    fn start_with(jvm: &'static [&'static str], dir: &Path, progress: &dyn Fn(&str)) -> Result<Node, Error> {
        let jars = jars(&crate::cache_dir(), progress)?;
        let began = Instant::now();
        progress(&format!("starting Kafka {VERSION} in {}", dir.display()));
        let mut node = Node::claim(dir, jars)?;
        node.jvm = jvm;
        start_together(std::slice::from_mut(&mut node), None)?;
        progress(&format!("Kafka serves on {} after {:.1} s", node.bootstrap, began.elapsed().as_secs_f64()));
        Ok(node)
    }

    /// As [`Node::start`], with an authorizer. Who comes in at [`Self::bootstrap`] may do everything. Who
    /// comes in at [`Self::secured_bootstrap`] must be one of `users` (name and password; SASL, PLAIN), and
    /// may do what [`Self::allow`] has granted.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_secured(dir: &Path, users: &[(&str, &str)], progress: &dyn Fn(&str)) -> Result<Node, Error> {
        let mut node = Node::claim(dir, jars(&crate::cache_dir(), progress)?)?;
        let owned = |(name, password): &(&str, &str)| ((*name).to_owned(), (*password).to_owned());
        node.seat.secured = Some(Secured { port: 0, users: users.iter().map(owned).collect() });
        start_together(std::slice::from_mut(&mut node), None)?;
        Ok(node)
    }

    /// Where users connect; `None` without an authorizer.
    #[must_use]
    pub fn secured_bootstrap(&self) -> Option<String> {
        let secured = self.seat.secured.as_ref()?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, secured.port)).to_string())
    }

    /// Grants rights to users. They hold when this returns.
    ///
    /// # Errors
    /// If the broker refuses, or there is no authorizer.
    pub fn allow(&self, acls: &[Acl]) -> std::io::Result<()> {
        acl::grant(self.address(), acls)
    }

    /// Where clients connect, `127.0.0.1:port`; the same for the node's whole life.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The broker's process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The broker's log: warnings, and what happens to groups and transactions.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.join(LOG)
    }

    /// SIGKILL, as a power cut would: what it had acknowledged but not flushed is in the system's page cache
    /// and survives. Connections are refused from here until [`Node::restart`].
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGTERM: the broker closes its logs and ends, in about half a second. After 20 s it is killed.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop(STOP_MAX);
        }
    }

    /// SIGSTOP: the broker answers nothing, but its connections stay. The other nodes consider it dead after
    /// 2 s.
    pub fn pause(&mut self) {
        if let Some(process) = &mut self.process {
            process.pause();
        }
    }

    /// SIGCONT, after [`Self::pause`].
    pub fn resume(&mut self) {
        if let Some(process) = &mut self.process {
            process.resume();
        }
    }

    /// Starts the node again on its ports and data, and returns when it serves: the controller knows it, and
    /// its copies are in sync with the nodes that run. A node that still runs is stopped first. After a kill
    /// this takes about 2 s longer than after a stop, because the controller waits for the dead broker's
    /// session to end.
    ///
    /// # Errors
    /// As [`Node::start`]. The node can be restarted again after an error. While a majority of the cluster is
    /// down, a restart of one node fails: see [`Cluster::restart`](super::Cluster::restart).
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        let logged = self.launch()?;
        self.await_served(&[self.seat.node], logged)
    }

    /// Claims the folder for a node that is not started yet.
    pub(super) fn claim(dir: &Path, jars: PathBuf) -> Result<Node, Error> {
        fs::create_dir_all(dir).map_err(Error::file(dir, "created"))?;
        let dir = dir.canonicalize().map_err(Error::file(dir, "resolved"))?;
        let log = claim(&dir)?;
        let cluster_id = formatted_as(&dir)?.unwrap_or_default();
        let jvm = config::JVM_OF_A_SHORT_LIFE;
        Ok(Node {
            dir,
            jars,
            log,
            cluster_id,
            seat: Seat::default(),
            bootstrap: String::new(),
            jvm,
            process: None,
        })
    }

    fn settle_on(&mut self, seat: Seat) {
        self.seat = seat;
        self.bootstrap = self.address().to_string();
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.seat.broker).into()
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Formats a second folder and renames it, so that an interrupted format leaves no half-made data folder.
    fn format(&mut self, cluster_id: &str) -> Result<(), Error> {
        let fresh = self.dir.join("data.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(Error::file(&fresh, "removed"))?;
        }
        let settings = self.write_settings(&fresh)?;
        let output = self
            .java("kafka.tools.StorageTool")
            .args(["format", "--cluster-id", cluster_id, "--config"])
            .arg(&settings)
            .output()
            .map_err(Error::java)?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        if !output.status.success() {
            return Err(
                explain(&said).unwrap_or_else(|| Error::Format { dir: self.dir.clone(), tail: tail(&said) })
            );
        }
        fs::rename(&fresh, self.data()).map_err(Error::file(&fresh, "moved into place"))?;
        cluster_id.clone_into(&mut self.cluster_id);
        Ok(())
    }

    fn write_settings(&self, data: &Path) -> Result<PathBuf, Error> {
        let path = self.dir.join("server.properties");
        fs::write(&path, config::server_properties(&self.seat, data))
            .map_err(Error::file(&path, "written"))?;
        Ok(path)
    }

    fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(config::JVM).args(self.jvm).arg("-cp").arg(self.jars.join("*")).arg(class);
        java
    }

    /// Starts the process. Returns how many bytes its log had before.
    fn launch(&mut self) -> Result<usize, Error> {
        let settings = self.write_settings(&self.data())?;
        let earlier = self.logged(0).len();
        self.process = Some(Process::spawn(self.java("kafka.Kafka").arg(settings), &self.log)?);
        Ok(earlier)
    }

    /// Waits until the node serves and knows the nodes `live`. If that fails, the node is stopped.
    fn await_served(&mut self, live: &[i32], earlier: usize) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            let wanted = Wanted { cluster_id: &self.cluster_id, node: self.seat.node, live };
            let Some(why) = probe::missing(self.address(), wanted) else { return Ok(()) };
            if self.process.as_mut().is_none_or(Process::ended) {
                self.process = None;
                let said = self.logged(earlier);
                return Err(
                    explain(&said).unwrap_or_else(|| Error::Exited { log: self.log(), tail: tail(&said) })
                );
            }
            if began.elapsed() > START_MAX {
                let tail = tail(&self.logged(earlier));
                self.kill();
                return Err(Error::TimedOut { after: START_MAX, why, log: self.log(), tail });
            }
            std::thread::sleep(POLL);
        }
    }

    /// What was logged after the first `earlier` bytes.
    fn logged(&self, earlier: usize) -> String {
        let whole = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(whole.get(earlier..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts nodes that claimed their folders as one cluster, and waits until each serves and knows all others.
/// With a `proxy`, each node gets a second listener, behind the proxy.
pub(super) fn start_together(nodes: &mut [Node], proxy: Option<&Proxy>) -> Result<(), Error> {
    settle(nodes, proxy)?;
    format_new(nodes)?;
    for attempt in 1.. {
        match launch_together(nodes) {
            Err(Error::Exited { tail, .. }) if attempt < PORT_ATTEMPTS && port_was_taken(&tail) => {
                nodes.iter_mut().for_each(Node::kill);
                settle(nodes, proxy)?;
            }
            outcome => return outcome,
        }
    }
    Ok(())
}

/// Starts the nodes that do not run, and waits until every node serves and knows the others.
pub(super) fn launch_together(nodes: &mut [Node]) -> Result<(), Error> {
    let all: Vec<i32> = nodes.iter().map(|node| node.seat.node).collect();
    let launched = nodes.iter_mut().map(|node| match node.process {
        Some(_) => Ok(0),
        None => node.launch(),
    });
    let logged: Vec<usize> = launched.collect::<Result<_, _>>()?;
    nodes.iter_mut().zip(logged).try_for_each(|(node, earlier)| node.await_served(&all, earlier))
}

/// Gives each node its ports, and gives the proxy the ports behind it.
fn settle(nodes: &mut [Node], proxy: Option<&Proxy>) -> Result<(), Error> {
    const EACH: usize = 3;
    let ports = port::free(EACH * nodes.len())?;
    let controllers: Vec<u16> = ports.iter().skip(1).step_by(EACH).copied().collect();
    for ((index, node), ports) in nodes.iter_mut().enumerate().zip(ports.chunks_exact(EACH)) {
        let &[broker, _, listened] = ports else { continue };
        let link = proxy.and_then(|proxy| proxy.links().get(index));
        let proxied = link.map(|link| Proxied { listened, advertised: link.lead_to(listened) });
        let id = i32::try_from(index + 1).unwrap_or(i32::MAX);
        let users = node.seat.secured.take().map(|secured| secured.users);
        let secured = users.map(|users| Secured { port: listened, users });
        node.settle_on(Seat { node: id, broker, controllers: controllers.clone(), proxied, secured });
    }
    Ok(())
}

/// Formats the new folders for the cluster of the used ones.
fn format_new(nodes: &mut [Node]) -> Result<(), Error> {
    let known = nodes.iter().map(|node| node.cluster_id.clone()).find(|id| !id.is_empty());
    let cluster_id = known.unwrap_or_else(new_cluster_id);
    let fresh = nodes.iter_mut().filter(|node| node.cluster_id.is_empty());
    std::thread::scope(|scope| {
        // Each format is a Java process. All of them in parallel take as long as one.
        let formats: Vec<_> = fresh.map(|node| scope.spawn(|| node.format(&cluster_id))).collect();
        formats.into_iter().try_for_each(|format| format.join().expect("formatting doesn't panic"))
    })
}

/// The cluster id of a folder that a node has used.
fn formatted_as(dir: &Path) -> Result<Option<String>, Error> {
    let path = dir.join("data/meta.properties");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().find_map(|line| line.strip_prefix("cluster.id=")).map(str::to_owned)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(&path, "read")(error)),
    }
}

/// Opens the folder's log and locks it. The broker writes to the same file, so the lock lasts until both the
/// node and its process are gone. Kafka's own lock comes too late: by then a second broker has written to the
/// metadata log of the first.
fn claim(dir: &Path) -> Result<File, Error> {
    let path = dir.join(LOG);
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    let log = opened.map_err(Error::file(&path, "opened for appending"))?;
    let began = Instant::now();
    loop {
        match log.try_lock() {
            Ok(()) => return Ok(log),
            Err(TryLockError::WouldBlock) if began.elapsed() < RELEASE_MAX => std::thread::sleep(POLL),
            Err(TryLockError::WouldBlock) => return Err(Error::InUse { dir: dir.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(Error::file(&path, "locked")(error)),
        }
    }
}

/// Sixteen random bytes as Kafka writes them. The first character is never a dash: a command line would read
/// it as an option.
fn new_cluster_id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] &= 0x7f;
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The causes that have an error of their own.
fn explain(output: &str) -> Option<Error> {
    if output.contains("UnsupportedClassVersionError") {
        Some(Error::JavaTooOld)
    } else if output.contains("java: not found") {
        Some(Error::java(std::io::ErrorKind::NotFound.into()))
    } else {
        None
    }
}

fn port_was_taken(log: &str) -> bool {
    log.contains("Address already in use")
}
