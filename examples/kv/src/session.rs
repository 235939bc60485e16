//! One client's connection: what it has said about itself, and the commands that concern nothing else.

use crate::command::{Credentials, Session};
use crate::resp::Protocol;
use crate::resp::encode::Encoder;

/// What this server calls itself in `HELLO`. Clients compare the version with what they need of Redis,
/// whose commands of that version the server follows.
pub const REDIS_VERSION: &str = "7.0.0";

/// What the connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Reads the next request.
    Continue,
    /// Sends what is written and closes.
    Close,
}

/// How reads on a connection are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// By the leader, after it made sure that it still leads.
    #[default]
    Linearizable,
    /// By this node from what it has applied, possibly old: the client said `READONLY`.
    Local,
}

/// What is known about one client.
#[derive(Clone, Debug)]
pub struct ClientSession {
    id: u64,
    protocol: Protocol,
    name: Vec<u8>,
    consistency: Consistency,
    trust: Trust,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Stranger,
    Authenticated,
}

impl ClientSession {
    /// A client that has just connected; it is trusted at once where no password is set.
    pub fn new(id: u64, password: Option<&str>) -> Self {
        Self {
            id,
            protocol: Protocol::default(),
            name: Vec::new(),
            consistency: Consistency::default(),
            trust: match password {
                None => Trust::Authenticated,
                Some(_) => Trust::Stranger,
            },
        }
    }

    /// The version to answer in.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// How its reads are answered.
    pub fn consistency(&self) -> Consistency {
        self.consistency
    }

    /// Whether it may do more than `AUTH`, `HELLO`, `QUIT` and `RESET`.
    pub fn is_authenticated(&self) -> bool {
        self.trust == Trust::Authenticated
    }

    /// Refuses a command of a client that has yet to authenticate.
    pub fn refuse(encoder: &mut Encoder<'_>) {
        encoder.error("NOAUTH Authentication required.");
    }

    /// Answers a command that concerns this connection only. `out` is where its replies go, `password`
    /// what the server was started with.
    pub fn answer(
        &mut self,
        command: &Session<'_>,
        password: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Next {
        let mut encoder = Encoder::new(out, self.protocol);
        let open = matches!(
            command,
            Session::Auth(_) | Session::Hello { .. } | Session::Quit | Session::Reset
        );
        if !open && !self.is_authenticated() {
            Self::refuse(&mut encoder);
            return Next::Continue;
        }
        match command {
            Session::Ping(None) => encoder.simple("PONG"),
            Session::Ping(Some(text)) | Session::Echo(text) => encoder.bulk(text),
            Session::Hello {
                protocol,
                credentials,
                name,
            } => self.hello(*protocol, *credentials, *name, password, out),
            Session::Auth(credentials) => self.authenticate(credentials, password, &mut encoder),
            Session::ReadOnly => {
                self.consistency = Consistency::Local;
                encoder.ok();
            }
            Session::ReadWrite => {
                self.consistency = Consistency::Linearizable;
                encoder.ok();
            }
            Session::Select | Session::Asking | Session::Ignored => encoder.ok(),
            Session::SetName(name) => {
                self.name = name.to_vec();
                encoder.ok();
            }
            Session::Name => {
                encoder.bulk_or_null(Some(&*self.name).filter(|name| !name.is_empty()));
            }
            Session::Id => encoder.integer(i64::try_from(self.id).unwrap_or(i64::MAX)),
            Session::Reset => {
                encoder.simple("RESET");
                *self = Self::new(self.id, password);
            }
            Session::Quit => {
                encoder.ok();
                return Next::Close;
            }
        }
        Next::Continue
    }

    fn authenticate(
        &mut self,
        credentials: &Credentials<'_>,
        password: Option<&str>,
        encoder: &mut Encoder<'_>,
    ) {
        match check(credentials, password) {
            Ok(()) => {
                self.trust = Trust::Authenticated;
                encoder.ok();
            }
            Err(text) => encoder.error(text),
        }
    }

    fn hello(
        &mut self,
        protocol: Option<Protocol>,
        credentials: Option<Credentials<'_>>,
        name: Option<&[u8]>,
        password: Option<&str>,
        out: &mut Vec<u8>,
    ) {
        let mut encoder = Encoder::new(out, self.protocol);
        match credentials.map(|credentials| check(&credentials, password)) {
            Some(Err(text)) => return encoder.error(text),
            Some(Ok(())) => self.trust = Trust::Authenticated,
            None if self.is_authenticated() => {}
            None => {
                return encoder.error(
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
                     HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
                     select the RESP protocol version at the same time",
                );
            }
        }
        self.protocol = protocol.unwrap_or(self.protocol);
        if let Some(name) = name {
            self.name = name.to_vec();
        }
        let mut encoder = Encoder::new(out, self.protocol);
        encoder.map(7);
        for (key, value) in [
            ("server", "redis"),
            ("version", REDIS_VERSION),
            ("mode", "cluster"),
            ("role", "master"),
        ] {
            encoder.bulk(key.as_bytes());
            encoder.bulk(value.as_bytes());
        }
        encoder.bulk(b"proto");
        encoder.integer(self.protocol.number());
        encoder.bulk(b"id");
        encoder.integer(i64::try_from(self.id).unwrap_or(i64::MAX));
        encoder.bulk(b"modules");
        encoder.array(0);
    }
}

/// Whether the credentials are right; if not, what Redis says.
fn check(credentials: &Credentials<'_>, password: Option<&str>) -> Result<(), &'static str> {
    let Some(password) = password else {
        return Err(
            "ERR AUTH <password> called without any password configured for the default user. Are you \
             sure your configuration is correct?",
        );
    };
    let right = same(credentials.password, password.as_bytes());
    if credentials.user == b"default" && right {
        return Ok(());
    }
    Err("WRONGPASS invalid username-password pair or user is disabled.")
}

/// Compares without telling by the time it takes how much of a guess was right.
fn same(guess: &[u8], secret: &[u8]) -> bool {
    let differences = guess
        .iter()
        .zip(secret)
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    guess.len() == secret.len() && core::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(session: &mut ClientSession, command: Session<'_>, password: Option<&str>) -> String {
        let mut out = Vec::new();
        session.answer(&command, password, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn credentials(password: &str) -> Credentials<'_> {
        Credentials {
            user: b"default",
            password: password.as_bytes(),
        }
    }

    fn hello(protocol: Option<Protocol>, credentials: Option<Credentials<'_>>) -> Session<'_> {
        Session::Hello {
            protocol,
            credentials,
            name: None,
        }
    }

    #[test]
    fn hello_changes_the_protocol_and_answers_in_the_new_one() {
        let mut session = ClientSession::new(7, None);
        let three = hello(Some(Protocol::Resp3), None);
        let text = answer(&mut session, three, None);
        assert!(text.starts_with("%7\r\n$6\r\nserver\r\n"), "{text}");
        assert!(
            text.contains("$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:7\r\n"),
            "{text}"
        );
        assert_eq!(session.protocol(), Protocol::Resp3);
        assert!(answer(&mut session, hello(None, None), None).starts_with("%7"));
        assert!(answer(&mut session, hello(Some(Protocol::Resp2), None), None).starts_with("*14"));
    }

    #[test]
    fn strangers_may_only_authenticate_or_leave() {
        let password = Some("secret");
        let mut session = ClientSession::new(1, password);
        let refused = "-NOAUTH Authentication required.\r\n";
        assert_eq!(answer(&mut session, Session::Ping(None), password), refused);
        let three = hello(Some(Protocol::Resp3), None);
        assert!(answer(&mut session, three, password).starts_with("-NOAUTH HELLO"));
        assert_eq!(session.protocol(), Protocol::Resp2);
        for wrong in ["", "secre", "secret2", "sEcret"] {
            let wrong = Session::Auth(credentials(wrong));
            assert!(answer(&mut session, wrong, password).starts_with("-WRONGPASS"));
        }
        assert!(!session.is_authenticated());
        let right = hello(None, Some(credentials("secret")));
        assert!(answer(&mut session, right, password).starts_with("*14"));
        assert_eq!(
            answer(&mut session, Session::Ping(None), password),
            "+PONG\r\n"
        );
        assert_eq!(answer(&mut session, Session::Reset, password), "+RESET\r\n");
        assert!(!session.is_authenticated());
    }

    #[test]
    fn auth_without_a_password_is_an_error() {
        let mut session = ClientSession::new(1, None);
        let auth = Session::Auth(credentials("x"));
        assert!(answer(&mut session, auth, None).starts_with("-ERR AUTH <password> called"));
    }

    #[test]
    fn readonly_and_names_are_remembered() {
        let mut session = ClientSession::new(1, None);
        assert_eq!(answer(&mut session, Session::Name, None), "$-1\r\n");
        answer(&mut session, Session::SetName(b"n"), None);
        assert_eq!(answer(&mut session, Session::Name, None), "$1\r\nn\r\n");
        answer(&mut session, Session::ReadOnly, None);
        assert_eq!(session.consistency(), Consistency::Local);
        answer(&mut session, Session::ReadWrite, None);
        assert_eq!(session.consistency(), Consistency::Linearizable);
        let quit = session.answer(&Session::Quit, None, &mut Vec::new());
        assert_eq!(quit, Next::Close);
    }
}
