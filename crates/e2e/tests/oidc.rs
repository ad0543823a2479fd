//! Login by an identity provider: a small one that keeps the rules of RFC 6749, RFC 7636 and OpenID Connect Core, and
//! breaks one of them where a test asks for it. The test is the browser.
#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as expected")]

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::OpenOptionsExt,
    sync::{Arc, Mutex},
    thread,
};

use e2e::{Process, World};
use jiff::Timestamp;
use openssl::{base64, hash::MessageDigest, pkey::PKey, pkey::Private, rsa::Rsa, sha::sha256, sign::Signer};
use serde_json::{Value, json};

const CLIENT: &str = "hearth & co";
const SECRET: &str = "a:secret";

type Form = HashMap<String, String>;

/// What the provider does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Key,
    Unsigned,
    Issuer,
    Audience,
    Nonce,
    Over,
    Subject,
}

/// An identity provider on this machine.
struct Provider {
    url: String,
    key: PKey<Private>,
    /// What a code was given for.
    codes: Mutex<HashMap<String, Form>>,
    fault: Mutex<Fault>,
}

fn url_safe(bytes: &[u8]) -> String {
    base64::encode_block(bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn form(text: &str) -> Form {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), unescaped(value))).collect()
}

impl Provider {
    fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let provider = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            key: PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
            codes: Mutex::default(),
            fault: Mutex::new(Fault::None),
        });
        let serving = Arc::clone(&provider);
        thread::spawn(move || listener.incoming().for_each(|stream| serving.answer(stream.unwrap())));
        provider
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut line, mut length, mut basic) = (String::new(), 0, None);
        reader.read_line(&mut line).unwrap();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => basic = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let answer = match line.split(' ').nth(1).unwrap() {
            "/.well-known/openid-configuration" => Some(self.discovery()),
            "/jwks" => Some(self.keys()),
            "/token" => self.redeem(&form(std::str::from_utf8(&body).unwrap()), basic.as_deref()),
            _ => None,
        };
        let status = if answer.is_some() { "200 OK" } else { "400 Bad Request" };
        let body = answer.unwrap_or_default().to_string();
        let length = body.len();
        let mut stream = stream;
        // Whoever asked may have gone away.
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }

    fn discovery(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/jwks"),
        })
    }

    fn keys(&self) -> Value {
        let rsa = self.key.rsa().unwrap();
        let (n, e) = (url_safe(&rsa.n().to_vec()), url_safe(&rsa.e().to_vec()));
        json!({"keys": [{"kty": "OKP", "kid": "0"}, {"kty": "RSA", "kid": "1", "use": "sig", "n": n, "e": e}]})
    }

    /// What a person's consent gives: a code, bound to what was asked.
    fn authorize(&self, location: &str) -> (String, Form) {
        let (endpoint, query) = location.split_once('?').unwrap();
        assert_eq!(endpoint, format!("{}/authorize", self.url));
        let asked = form(query);
        let expected = [("response_type", "code"), ("client_id", CLIENT), ("code_challenge_method", "S256")];
        for (name, value) in expected {
            assert_eq!(asked.get(name).map(String::as_str), Some(value), "{asked:?}");
        }
        assert_eq!(asked.get("scope").map(String::as_str), Some("openid"));
        let mut codes = self.codes.lock().unwrap();
        let code = format!("code/{}", codes.len());
        codes.insert(code.clone(), asked.clone());
        (code, asked)
    }

    /// A token for a code, once. (RFC 6749 4.1.3, RFC 7636 4.6)
    fn redeem(&self, form: &Form, basic: Option<&str>) -> Option<Value> {
        let pair = base64::encode_block(b"hearth%20%26%20co:a%3Asecret");
        let asked = self.codes.lock().unwrap().get_mut(form.get("code")?).map(std::mem::take)?;
        let challenge = url_safe(&sha256(form.get("code_verifier")?.as_bytes()));
        let is_good = basic == Some(&*format!("Basic {pair}"))
            && asked.get("code_challenge") == Some(&challenge)
            && form.get("redirect_uri") == asked.get("redirect_uri")
            && form.get("grant_type").is_some_and(|kind| kind == "authorization_code");
        is_good.then(|| json!({"token_type": "Bearer", "id_token": self.token(asked.get("nonce").unwrap())}))
    }

    fn token(&self, nonce: &str) -> String {
        let (fault, now) = (*self.fault.lock().unwrap(), Timestamp::now().as_second());
        let or =
            |wrong: Fault, bad: &str, good: &str| if fault == wrong { bad.into() } else { good.to_owned() };
        let claims = json!({
            "iss": or(Fault::Issuer, "http://127.0.0.1:1", &self.url),
            "sub": or(Fault::Subject, "nobody", "sub-ann"),
            "aud": or(Fault::Audience, "another", CLIENT),
            "nonce": or(Fault::Nonce, "another", nonce),
            "iat": now - 3600,
            "exp": if fault == Fault::Over { now - 120 } else { now + 60 },
        });
        let head = json!({"alg": or(Fault::Unsigned, "none", "RS256"), "kid": "1"});
        let parts = [head, claims].map(|part| url_safe(part.to_string().as_bytes()));
        let text = parts.join(".");
        if fault == Fault::Unsigned {
            return text + ".";
        }
        let stranger = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let key = if fault == Fault::Key { &stranger } else { &self.key };
        let signature =
            Signer::new(MessageDigest::sha256(), key).unwrap().sign_oneshot_to_vec(text.as_bytes());
        format!("{text}.{}", url_safe(&signature.unwrap()))
    }
}

/// An answer: its status, the cookies that it sets, where it leads, and its text.
struct Page {
    status: u16,
    cookies: Vec<String>,
    location: Option<String>,
    text: String,
}

fn browse(address: SocketAddr, path: &str, cookie: &str) -> Page {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncookie: {cookie}\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let head = text.split("\r\n\r\n").next().unwrap();
    let named = |wanted: &str| {
        let headers = head.lines().filter_map(|line| line.split_once(": "));
        headers.filter(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    let pairs = named("set-cookie").into_iter().map(|cookie| cookie.split(';').next().unwrap().to_owned());
    Page {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        cookies: pairs.collect(),
        location: named("location").pop(),
        text,
    }
}

/// A H(e)MS with this provider, and an account for its subject `sub-ann`.
fn hems(provider: &Provider) -> (World, Process) {
    let world = World::new("oidc");
    let secret = world.dir().join("oidc.secret");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(secret).unwrap();
    writeln!(file, "{SECRET}").unwrap();
    let config = fs::read_to_string(world.hems_config()).unwrap();
    let (issuer, own) = (&provider.url, world.api());
    let section = format!(
        "\n[api.oidc]\nissuer = {issuer:?}\nclient_id = {CLIENT:?}\nclient_secret_file = \"oidc.secret\"\n\
         external_url = \"http://{own}\"\n"
    );
    fs::write(world.hems_config(), config + &section).unwrap();
    let server = world.serve();
    let account = json!({"name": "ann", "role": "viewer", "subject": "sub-ann"});
    assert_eq!(world.send("POST /api/v1/accounts", &account).status, 201);
    (world, server)
}

/// Begins a login: the cookie, and the way back that the provider would send the browser.
fn begin(world: &World, provider: &Provider) -> (String, String) {
    let page = browse(world.api(), "/api/v1/oidc/login", "");
    assert_eq!((page.status, page.cookies.len()), (303, 1), "{}", page.text);
    let (code, asked) = provider.authorize(&page.location.unwrap());
    let (_, back) = asked.get("redirect_uri").unwrap().split_once(&world.api().to_string()).unwrap();
    let state = asked.get("state").unwrap();
    (page.cookies.first().unwrap().clone(), format!("{back}?code={}&state={state}", code.replace('/', "%2F")))
}

#[test]
fn o12_whoever_the_provider_vouches_for_is_logged_in_once() {
    let provider = Provider::start();
    let (world, _server) = hems(&provider);
    let (cookie, back) = begin(&world, &provider);
    let other = begin(&world, &provider).0;
    for (cookie, path) in [("", &back), (other.as_str(), &back)] {
        assert_eq!(browse(world.api(), path, cookie).status, 422, "another browser's login");
    }
    let page = browse(world.api(), &back, &cookie);
    assert_eq!((page.status, page.location.as_deref()), (303, Some("/")), "{}", page.text);
    let login = page.cookies.iter().find(|cookie| cookie.starts_with("hearth=")).unwrap();
    let me = browse(world.api(), "/api/v1/me", login);
    assert!(me.status == 200 && me.text.contains("\"name\":\"ann\""), "{}", me.text);
    assert_ne!(browse(world.api(), &back, &cookie).status, 303, "a code counts once");
}

#[test]
fn o12_a_token_that_breaks_a_rule_logs_nobody_in() {
    let provider = Provider::start();
    let (world, _server) = hems(&provider);
    for (fault, said) in [
        (Fault::Key, "is not signed by a key of the provider"),
        (Fault::Unsigned, "is not signed by a key of the provider"),
        (Fault::Issuer, "is of another issuer"),
        (Fault::Audience, "is meant for another client"),
        (Fault::Nonce, "belongs to another login"),
        (Fault::Over, "is over"),
        (Fault::Subject, "no account has the subject"),
    ] {
        *provider.fault.lock().unwrap() = fault;
        let (cookie, back) = begin(&world, &provider);
        // Wrong ones are throttled like wrong passwords: what is asked too early is asked again.
        let page = e2e::wait_for("a try that counts", std::time::Duration::from_secs(30), || {
            Some(browse(world.api(), &back, &cookie)).filter(|page| page.status != 429)
        });
        assert_eq!(page.status, 403, "{fault:?}");
        assert!(page.text.contains(said), "{fault:?}: {}", page.text);
        assert!(page.cookies.is_empty(), "{fault:?}");
    }
    let log = world.get("/api/v1/audit-log?limit=1000");
    let lines = log.get("items").and_then(Value::as_array).unwrap().iter();
    let ended = lines.filter(|line| line.get("operation") == Some(&json!("end-oidc-login")));
    assert_eq!(ended.count(), 14, "each is noted");
}
