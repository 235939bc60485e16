//! Real processes for tests, and a client that waits for conditions, not for time.

// Each test program uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use kv::resp::encode;
use kv::resp::reply::{self, Reply};

/// After this a test fails instead of hanging: far longer than anything takes on the slowest machine.
const HANG: Duration = Duration::from_secs(120);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until something is there.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + HANG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        sleep(LOOK_INTERVAL);
    }
}

/// Addresses on loopback that were free just now, each given out once.
///
/// Not what the system gives for port 0: that comes from the range of which every outgoing connection takes a
/// port too, and one of them sits there by the time at which a node starts to listen, now and then.
pub fn free_addresses<const COUNT: usize>() -> [SocketAddr; COUNT] {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 22_000;
    core::array::from_fn(|_| {
        loop {
            let given = GIVEN.fetch_add(1, Ordering::Relaxed);
            // Test programs that run at the same time begin far apart.
            let begin = std::process::id().wrapping_mul(7919);
            let port = FIRST + begin.wrapping_add(given) % PORTS;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port as u16));
            if TcpListener::bind(address).is_ok() {
                break address;
            }
        }
    })
}

/// Runs the program to its end.
pub fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kv"));
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

/// Runs the program, which has to fail, and returns the one line that it says.
#[track_caller]
pub fn refusal(args: &[&str]) -> String {
    let output = run(args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("kv: "))
        .collect();
    assert_eq!(lines.len(), 1, "{args:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    lines[0].to_owned()
}

/// One node: where it is, and its process while it runs.
pub struct Node {
    pub id: u64,
    pub client: SocketAddr,
    pub peer: SocketAddr,
    pub directory: PathBuf,
    pub window: Option<&'static str>,
    /// More options of `kv serve`.
    pub options: Vec<String>,
    pub process: Option<Child>,
}

impl Node {
    /// A node below `root` that is neither made nor started.
    pub fn new(root: &Path, id: u64) -> Self {
        let [client, peer] = free_addresses();
        Self {
            id,
            client,
            peer,
            directory: root.join(format!("n{id}")),
            window: None,
            options: Vec::new(),
            process: None,
        }
    }

    fn place(&self) -> Vec<String> {
        [
            "--dir",
            self.directory.to_str().unwrap(),
            "--id",
            &self.id.to_string(),
            "--listen",
            &self.client.to_string(),
            "--peer-listen",
            &self.peer.to_string(),
        ]
        .map(str::to_owned)
        .into()
    }

    /// The words that make its directory.
    pub fn words(&self, word: &str, more: &[&str]) -> Vec<String> {
        let more = more.iter().map(|word| (*word).to_owned());
        let words = [word.to_owned()].into_iter();
        words.chain(self.place()).chain(more).collect()
    }

    #[track_caller]
    pub fn init(&self) {
        self.make(&self.words("init", &[]));
    }

    #[track_caller]
    pub fn join(&self, member: &Node) {
        self.make(&self.words("join", &["--member", &member.client.to_string()]));
    }

    #[track_caller]
    fn make(&self, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = run(&words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {said}");
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.with_extension("log")).unwrap_or_default()
    }

    pub fn start(&mut self) {
        self.start_as(Command::new(env!("CARGO_BIN_EXE_kv")), &[]);
    }

    /// Starts it by another command, to which the arguments are added.
    pub fn start_as(&mut self, mut command: Command, more: &[&str]) {
        let log = self.directory.with_extension("log");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        command
            .args(["serve", "--exit-with-stdin", "--dir"])
            .arg(&self.directory);
        if let Some(window) = self.window {
            command.args(["--window", window]);
        }
        let command = command
            .args(&self.options)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        self.process = Some(command.stderr(log).spawn().unwrap());
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Lets it end by itself, cleanly.
    #[track_caller]
    pub fn end(&mut self) {
        let mut process = self.process.take().unwrap();
        drop(process.stdin.take());
        let status = process.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    pub fn connect(&self) -> Client {
        let log = || self.log();
        wait_for(&format!("n{}; {}", self.id, log()), || {
            Client::connect(self.client)
        })
    }

    /// A field of `INFO`.
    pub fn field(&self, name: &str) -> Option<String> {
        let text = Client::connect(self.client)?.call(&["INFO"]);
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(|value| value.trim().to_owned())
    }

    /// Whether it says that it leads.
    pub fn leads(&self) -> bool {
        self.process.is_some() && self.field("raft_role").as_deref() == Some("leader")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Sends a signal to the process of a node.
pub fn signal(node: &Node, name: &str) {
    let process = node.process.as_ref().unwrap().id();
    let command = format!("kill -{name} {process}");
    let sent = Command::new("sh").args(["-c", &command]).status();
    assert!(sent.unwrap().success());
}

/// Three nodes that agree.
pub fn trio(root: &Path, window: Option<&'static str>) -> Vec<Node> {
    trio_with(root, window, &[])
}

/// Three nodes that are served with these options.
pub fn trio_with(root: &Path, window: Option<&'static str>, options: &[&str]) -> Vec<Node> {
    let mut nodes: Vec<Node> = (1..=3).map(|id| Node::new(root, id)).collect();
    for index in 0..nodes.len() {
        nodes[index].window = window;
        nodes[index].options = options.iter().map(|word| (*word).to_owned()).collect();
        match index {
            0 => nodes[index].init(),
            _ => nodes[index].join(&nodes[0]),
        }
        nodes[index].start();
        wait_for("a leader", || leader(&nodes));
    }
    let id = leader(&nodes).unwrap();
    wait_for("three voters", || {
        let status = nodes[id].connect().call(&["RAFT.STATUS"]);
        (status.matches(" Voter ").count() == 3).then_some(())
    });
    nodes
}

/// Which of the nodes leads.
pub fn leader(nodes: &[Node]) -> Option<usize> {
    nodes.iter().position(Node::leads)
}

/// A connection that says what came back in words.
pub struct Client {
    stream: TcpStream,
    arrived: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        // What is pushed is sent at once.
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        let arrived = Vec::new();
        Some(Self { stream, arrived })
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // A server that has closed the connection says why before.
        let _ = self.stream.write_all(bytes);
    }

    pub fn push(&mut self, words: &[&str]) {
        let mut out = Vec::new();
        encode::request(&mut out, words.iter().map(|word| word.as_bytes()));
        self.send(&out);
    }

    /// The next answer; an empty text if the connection is closed.
    pub fn answer(&mut self) -> String {
        loop {
            if let Some((reply, len)) = reply::parse(&self.arrived).unwrap() {
                let text = text(&reply);
                self.arrived.drain(..len);
                return text;
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return String::new(),
                Ok(len) => self.arrived.extend_from_slice(&bytes[..len]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return String::new();
                }
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }

    /// Whether anything of the next answer is here, or comes in time.
    pub fn is_answered_within(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let is_here = !self.arrived.is_empty() || self.stream.peek(&mut [0]).is_ok();
        self.stream.set_read_timeout(Some(HANG)).unwrap();
        is_here
    }

    pub fn call(&mut self, words: &[&str]) -> String {
        self.push(words);
        self.answer()
    }
}

/// An answer in words.
pub fn text(reply: &Reply<'_>) -> String {
    match reply {
        Reply::Simple(text) => format!("+{}", String::from_utf8_lossy(text)),
        Reply::Error(text) => format!("-{}", String::from_utf8_lossy(text)),
        Reply::Integer(value) => format!(":{value}"),
        Reply::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
        Reply::Null => "null".into(),
        Reply::Array(items) => {
            let items: Vec<String> = items.iter().map(text_of_item).collect();
            items.join("\n")
        }
    }
}

fn text_of_item(item: &Reply<'_>) -> String {
    text(item)
}
