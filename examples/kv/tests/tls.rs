//! Who may speak to a node that has certificates, and what the others are told.

mod support;

#[path = "support/certificates.rs"]
mod certificates;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use certificates::{Authority, options};
use kv::access::Access;
use kv::protection::Password;
use kv::stream::Stream;
use kv::tls::{Files, Tls, address_name, client, node_name};
use kv::transport::handshake::{self, Hello};
use quorum::NodeId;
use raft_core::{GroupId, Identity, Incarnation};
use support::{Node, free_addresses, refusal, run, text, wait_for};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const PASSWORD: &str = "open sesame";

/// A node that uses these files, and the password in a file beside.
fn node(root: &Path, id: u64, files: &Files) -> Node {
    let secret = root.join("secret");
    fs::write(&secret, PASSWORD).unwrap();
    let mut node = Node::new(root, id);
    node.options = options(files);
    let more = ["--password-file", secret.to_str().unwrap()];
    node.options.extend(more.map(str::to_owned));
    node
}

fn make(word: &str, node: &Node, more: &[&str]) -> std::process::Output {
    let options: Vec<&str> = node.options.iter().map(String::as_str).collect();
    // The founder needs no password.
    let options = match word {
        "init" => &options[..6],
        _ => &options[..],
    };
    let words = node.words(word, &[options, more].concat());
    run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[track_caller]
fn found(node: &mut Node) {
    let output = make("init", node, &[]);
    assert!(output.status.success(), "{output:?}");
    node.start();
}

#[track_caller]
fn join(node: &mut Node, member: &Node) {
    let output = make("join", node, &["--member", &member.client.to_string()]);
    assert!(output.status.success(), "{output:?}");
    node.start();
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(work)
}

/// What a client that trusts this authority is answered.
fn call(address: SocketAddr, authority: &Authority, words: &[&str]) -> Result<String, String> {
    let access = Access {
        password: Some(Password::new(PASSWORD)),
        tls: Some(client(&authority.certificate()).unwrap()),
        ..Access::default()
    };
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    block_on(async {
        let opened = access.open(address).await;
        let mut connection = opened.map_err(|error| error.to_string())?;
        let said = connection.call(&words, text).await;
        said.map_err(|error| error.to_string())
    })
}

#[track_caller]
fn wait_for_line(node: &Node, expected: &str) {
    let mut log = String::new();
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        log = node.log();
        if log.contains(expected) {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("no {expected:?} in {log}");
}

#[test]
fn nodes_of_one_authority_agree_and_clients_see_who_they_are() {
    let root = tempfile::tempdir().unwrap();
    let ours = Authority::new(root.path(), "ours");
    let theirs = Authority::new(root.path(), "theirs");
    let mut nodes: Vec<Node> = (1..=3)
        .map(|id| node(root.path(), id, &ours.sign(&format!("node-{id}.kv"))))
        .collect();
    let [metrics] = free_addresses();
    nodes[0]
        .options
        .extend(["--metrics".into(), metrics.to_string()]);
    let (first, others) = nodes.split_at_mut(1);
    let first = &mut first[0];
    found(first);
    wait_for("a leader", || {
        let said = call(first.client, &ours, &["SET", "a", "1"]).ok()?;
        (said == "+OK").then_some(())
    });
    others.iter_mut().for_each(|node| join(node, first));
    for node in others.iter() {
        wait_for("the value", || {
            // Large, so that it takes many records.
            let value = "v".repeat(300_000);
            let stored = call(first.client, &ours, &["SET", "b", &value]).ok()?;
            let there = call(node.client, &ours, &["DBSIZE"]).ok()?;
            (stored == "+OK" && there == ":2").then_some(())
        });
    }
    // And back in many records, to a client that takes its time.
    assert_eq!(read_slowly(first.client, &ours, 40), 40 * 300_011 + 10);
    // Without one of the three the others are a majority: each hears what the other sends.
    others[0].kill();
    wait_for("an answer of a majority", || {
        let said = call(first.client, &ours, &["SET", "a", "2"]).ok()?;
        (said == "+OK").then_some(())
    });

    let secret = root.path().join("secret");
    let address = first.client.to_string();
    let status = |authority: &Authority| {
        let certificate = authority.certificate();
        run(&[
            "status",
            "--member",
            &address,
            "--tls-ca",
            certificate.to_str().unwrap(),
            "--password-file",
            secret.to_str().unwrap(),
        ])
    };
    let table = String::from_utf8(status(&ours).stdout).unwrap();
    assert!(table.contains(", led by node 1 in term"), "{table}");
    assert!(table.contains("node 2 does not answer"), "{table}");
    let told = String::from_utf8(status(&theirs).stderr).unwrap();
    assert!(told.contains("UnknownIssuer"), "{told}");

    // A client sees that somebody else's server is none of its authority.
    let told = call(first.client, &theirs, &["PING"]).unwrap_err();
    assert!(told.contains("UnknownIssuer"), "{told}");
    let told = tell(first.client, b"*1\r\n$4\r\nPING\r\n");
    assert!(told.starts_with("-ERR this port takes only TLS"), "{told}");
    let told = tell(metrics, b"GET /livez HTTP/1.1\r\n\r\n");
    assert!(told.contains("\r\n\r\nthis port takes only TLS"), "{told}");
    let live = block_on(async {
        let connector = client(&ours.certificate()).unwrap();
        let name = address_name(metrics.ip());
        let secure = Some((&connector, name));
        let mut stream = Stream::connect(&metrics.to_string(), secure).await.unwrap();
        let request = b"GET /livez HTTP/1.1\r\nHost: kv\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    });
    assert!(live.ends_with("ok\n"), "{live}");
}

/// How many bytes a slow client gets that asks for `b` so many times.
fn read_slowly(address: SocketAddr, authority: &Authority, times: usize) -> usize {
    let connector = client(&authority.certificate()).unwrap();
    let auth = format!("AUTH \"{PASSWORD}\"\r\n");
    let request = format!("MGET{}\r\n", " b".repeat(times));
    block_on(async {
        let secure = Some((&connector, address_name(address.ip())));
        let mut stream = Stream::connect(&address.to_string(), secure).await.unwrap();
        let requests = [auth, request].concat();
        stream.write_all(requests.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let (mut all, mut some) = (0, vec![0; 16 * 1024]);
        loop {
            let reading = timeout(Duration::from_secs(2), stream.read(&mut some)).await;
            match reading {
                Ok(len) => all += len.unwrap(),
                Err(_) => return all,
            }
            sleep(Duration::from_micros(200));
        }
    })
}

fn tell(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn certificates_that_are_of_no_use_are_refused_at_the_start() {
    let root = tempfile::tempdir().unwrap();
    let ours = Authority::new(root.path(), "ours");
    let theirs = Authority::new(root.path(), "theirs");
    let right = ours.sign("node-1.kv");
    let foreign = Files {
        authority: ours.certificate(),
        ..theirs.sign("node-1.kv")
    };
    let mismatched = Files {
        key: ours.sign("node-2.kv").key,
        ..right.clone()
    };
    let told = |files: &Files| {
        let output = make("init", &node(root.path(), 1, files), &[]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    for (files, expected) in [
        (ours.sign("node-2.kv"), "node 1 cannot use"),
        (foreign, "UnknownIssuer"),
        (mismatched, "is not the key of"),
        (
            Files {
                certificate: root.path().join("none"),
                ..right.clone()
            },
            "cannot read certificates in",
        ),
        (
            Files {
                key: right.authority.clone(),
                ..right.clone()
            },
            "no private key in",
        ),
    ] {
        let told = told(&files);
        assert!(told.contains(expected), "{told}");
        assert!(!root.path().join("n1").exists());
    }

    // Addresses that others reach want certificates, and a password.
    let mut node = node(root.path(), 1, &right);
    node.client = "192.0.2.1:7000".parse().unwrap();
    let output = make("init", &node, &[]);
    assert!(output.status.success(), "{output:?}");
    let directory = node.directory.to_str().unwrap();
    let told = refusal(&["serve", "--dir", directory]);
    assert!(told.contains("--listen 192.0.2.1:7000 is not"), "{told}");
    assert!(told.contains("give --tls-cert"), "{told}");
    let here = Node::new(root.path(), 2);
    here.init();
    let mut plain = here;
    plain.start();
    wait_for("a leader", || plain.leads().then_some(()));
    let told = call(plain.client, &ours, &["PING"]).unwrap_err();
    assert!(told.contains("it does not seem to speak TLS"), "{told}");
    plain.end();
    let here = plain.directory.to_str().unwrap();
    let told = refusal(&["serve", "--dir", here, "--metrics", "192.0.2.1:9"]);
    assert!(told.contains("--metrics 192.0.2.1:9 is not"), "{told}");
    let words = options(&right);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = refusal(&[&["serve", "--dir", directory], &words[..]].concat());
    assert!(told.contains("give --password-file"), "{told}");
}

/// A stranger at the peer port: the answer to its hello, or why there is none.
fn greet(
    node: &Node,
    connector: &TlsConnector,
    from: u64,
    group: GroupId,
) -> Result<Option<String>, String> {
    let hello = Hello {
        group,
        from: Identity::new(NodeId::new(from), Incarnation::new(1)),
        to: NodeId::new(node.id),
        peer: "127.0.0.1:1".into(),
        client: "127.0.0.1:2".into(),
    };
    let name = node_name(NodeId::new(node.id)).unwrap();
    block_on(async {
        let secure = Some((connector, name));
        let mut stream = Stream::connect(&node.peer.to_string(), secure).await?;
        stream.write_all(&hello.encode()).await?;
        stream.flush().await?;
        handshake::read_answer(&mut stream).await
    })
    .map_err(|error| error.to_string())
}

#[test]
fn a_peer_has_to_prove_by_certificate_which_node_it_is() {
    let root = tempfile::tempdir().unwrap();
    let ours = Authority::new(root.path(), "ours");
    let theirs = Authority::new(root.path(), "theirs");
    let [one, two, three] = [1, 2, 3].map(|id| ours.sign(&format!("node-{id}.kv")));
    let mut first = node(root.path(), 1, &one);
    found(&mut first);
    let group = wait_for("the group", || {
        let status = call(first.client, &ours, &["RAFT.STATUS"]).ok()?;
        let digits = status.lines().nth(1)?;
        u64::from_str_radix(digits, 16).ok()
    });
    let group = GroupId::new(group);

    let dialer = |files: &Files, id| Tls::load(files, id).unwrap().dialer().clone();
    // Node 3 is node 3, and not node 2.
    assert_eq!(greet(&first, &dialer(&three, 3), 3, group), Ok(None));
    let told = greet(&first, &dialer(&three, 3), 2, group).unwrap();
    assert!(
        told.unwrap()
            .contains("its certificate is not that of node 2")
    );
    wait_for_line(
        &first,
        "it says it is node 2, but its certificate is not that of node 2",
    );
    // Another authority, and none.
    let foreign = theirs.sign("node-2.kv");
    let config = foreign_dialer(&foreign, &ours);
    let told = greet(&first, &config, 2, group).unwrap_err();
    assert!(told.contains("alert"), "{told}");
    wait_for_line(
        &first,
        "its certificate is not accepted: invalid peer certificate: UnknownIssuer",
    );
    let anonymous = client(&ours.certificate()).unwrap();
    let told = greet(&first, &anonymous, 2, group).unwrap_err();
    assert!(told.contains("alert"), "{told}");
    wait_for_line(&first, "it shows no certificate");
    // Somebody who does not speak TLS is told in words that its log can show.
    let told = tell(first.peer, b"kv-peer\n");
    assert!(told.contains("this node takes only TLS"), "{told}");

    // Where node 2 should be, node 3 answers.
    let mut second = node(root.path(), 2, &two);
    join(&mut second, &first);
    wait_for_line(&second, "node 1 leads");
    second.kill();
    let acceptor = Tls::load(&three, 3).unwrap().peers().clone();
    block_on(async {
        let listener = TcpListener::bind(second.peer).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let error = acceptor.accept(stream).await.unwrap_err();
        assert!(error.to_string().contains("alert"), "{error}");
    });
    wait_for_line(&first, "does not prove who it is");
    wait_for_line(&first, "not valid for name \"node-2.kv\"");
}

/// Trusts our authority and is signed by another, which no node would start with.
fn foreign_dialer(files: &Files, ours: &Authority) -> TlsConnector {
    use std::sync::Arc;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};
    let read = |path: &Path| CertificateDer::from_pem_file(path).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(read(&ours.certificate())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![read(&files.certificate)],
            PrivateKeyDer::from_pem_file(&files.key).unwrap(),
        );
    Arc::new(config.unwrap()).into()
}
