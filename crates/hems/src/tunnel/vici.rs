//! What strongSwan's IKE daemon knows of an inner address, asked through VICI.
//!
//! An IKE SA vouches for a cell when it is established with a child that carries traffic, when the daemon gave the
//! inner address to it as a virtual IP, when its configuration demanded a public key of the other side and nothing
//! else, and when the IKE identity that the key proved is a cell's name. Each question has a connection of its own:
//! the daemon may be started again at any time.

use std::{collections::HashMap, fmt, net::IpAddr, path::PathBuf, time::Duration};

use futures_util::TryStreamExt;
use profile::Identity;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use tokio::sync::Semaphore;

use super::Vouched;

/// How long the daemon may take to answer: it is on this machine.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions at a time; the daemon answers them one after another anyway.
const QUESTIONS: usize = 4;
/// The kind of authentication that counts. (TS 33.320 8.3.4, P-08)
const PUBLIC_KEY: &str = "public key";

/// The daemon behind a socket.
#[derive(Debug)]
pub(crate) struct Vici {
    socket: PathBuf,
    questions: Semaphore,
}

/// Which SAs are asked for.
#[derive(Serialize)]
struct Which<'a> {
    #[serde(rename = "ike-id", skip_serializing_if = "Option::is_none")]
    ike_id: Option<&'a str>,
}

/// An IKE SA as `list-sas` tells it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Sa {
    uniqueid: String,
    state: String,
    remote_id: String,
    remote_eap_id: Option<String>,
    remote_xauth_id: Option<String>,
    remote_vips: Vec<String>,
    child_sas: HashMap<String, Child>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Child {
    state: String,
}

/// A connection's configuration as `list-conns` tells it; its rounds of authentication are `remote-1`, `remote-2`.
type Conn = HashMap<String, Value>;

/// Whatever VICI has under a name; of lists nobody here wants the items.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    List,
    Section(HashMap<String, Self>),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list or a section")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Text(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut section = HashMap::new();
        while let Some((name, value)) = entries.next_entry()? {
            section.insert(name, value);
        }
        Ok(Value::Section(section))
    }
}

#[derive(Serialize)]
struct Named<'a> {
    ike: &'a str,
}

type Found<T> = Vec<(String, T)>;

impl Vici {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket, questions: Semaphore::new(QUESTIONS) }
    }

    /// Who has an address now; two SAs with one address vouch for nobody.
    pub(super) async fn vouch(&self, address: IpAddr) -> Result<Vouched, String> {
        self.ask(address, None).await
    }

    /// Who has an address by this SA and no other.
    pub(super) async fn confirm(&self, address: IpAddr, sa: &str) -> Result<Vouched, String> {
        self.ask(address, Some(sa)).await
    }

    async fn ask(&self, address: IpAddr, ike_id: Option<&str>) -> Result<Vouched, String> {
        let _turn = self.questions.acquire().await.map_err(|error| error.to_string())?;
        let asked = async {
            let sas: Found<Sa> = self.list("list-sas", "list-sa", Which { ike_id }).await?;
            let (name, vouched) = choose(&sas, address)?;
            let conns: Found<Conn> = self.list("list-conns", "list-conn", Named { ike: &name }).await?;
            check_authentication(&name, &conns)?;
            Ok(vouched)
        };
        let late = |_| format!("the IKE daemon at {} does not answer", self.socket.display());
        tokio::time::timeout(PATIENCE, asked).await.map_err(late)?
    }

    async fn list<Q: Serialize, T: DeserializeOwned>(
        &self,
        command: &str,
        event: &str,
        question: Q,
    ) -> Result<Found<T>, String> {
        let failed = |error: &dyn fmt::Display| {
            format!("the IKE daemon at {} cannot be asked: {error}", self.socket.display())
        };
        let mut client = rsvici::unix::connect(&self.socket).await.map_err(|error| failed(&error))?;
        let answers = client.stream_request::<Q, HashMap<String, T>>(command, event, question);
        let found: Vec<HashMap<String, T>> = answers.try_collect().await.map_err(|error| failed(&error))?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// The one SA that holds an address, with its connection's name.
fn choose(sas: &Found<Sa>, address: IpAddr) -> Result<(String, Vouched), String> {
    let holds = |sa: &Sa| {
        sa.remote_vips.iter().any(|vip| vip.parse().is_ok_and(|vip: IpAddr| vip.to_canonical() == address))
    };
    let mut holders = sas.iter().filter(|(_, sa)| sa.state == "ESTABLISHED" && holds(sa));
    let (name, sa) = holders.next().ok_or("no established IKE SA has it as virtual IP")?;
    if holders.next().is_some() {
        return Err("several IKE SAs have it as virtual IP".to_owned());
    }
    // A rekeyed child still carries what is under way.
    let carries =
        |child: &Child| matches!(child.state.as_str(), "INSTALLED" | "REKEYING" | "REKEYED" | "UPDATING");
    if !sa.child_sas.values().any(carries) {
        return Err(format!("IKE SA {} has no child that carries traffic", sa.uniqueid));
    }
    if sa.remote_eap_id.is_some() || sa.remote_xauth_id.is_some() {
        return Err(format!("IKE SA {} was authenticated by EAP or XAuth too", sa.uniqueid));
    }
    let identity = Identity::parse(&sa.remote_id)
        .map_err(|error| format!("the IKE identity \"{:.253}\" is no cell's: {error}", sa.remote_id))?;
    Ok((name.clone(), Vouched { identity, source: "vici", ike_sa: Some(sa.uniqueid.clone()) }))
}

/// What `list-sas` does not say: by what the other side had to authenticate, in every round. (P-07)
fn check_authentication(name: &str, conns: &Found<Conn>) -> Result<(), String> {
    let conn = conns.iter().find(|(found, _)| found == name).map(|(_, conn)| conn);
    let conn = conn.ok_or_else(|| format!("the connection \"{name}\" is not configured any more"))?;
    let is_round = |key: &str| {
        key.strip_prefix("remote-").is_some_and(|round| round.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let rounds = conn.iter().filter(|(key, _)| is_round(key));
    let classes: Vec<&str> = rounds.map(|(_, round)| class(round)).collect();
    if !classes.is_empty() && classes.iter().all(|class| *class == PUBLIC_KEY) {
        return Ok(());
    }
    Err(format!("the connection \"{name}\" authenticates its peers by {classes:?}, not by public key alone"))
}

fn class(round: &Value) -> &str {
    let Value::Section(section) = round else { return "nothing" };
    match section.get("class") {
        Some(Value::Text(class)) => class,
        Some(Value::List | Value::Section(_)) | None => "any",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 45, 0, 17));

    fn sa() -> Sa {
        let child = Child { state: "INSTALLED".to_owned() };
        Sa {
            uniqueid: "7".to_owned(),
            state: "ESTABLISHED".to_owned(),
            remote_id: "00005E005301.hnb.example".to_owned(),
            remote_vips: vec![VIP.to_string()],
            child_sas: HashMap::from([("net-1".to_owned(), child)]),
            ..Sa::default()
        }
    }

    fn chosen(sas: &[Sa]) -> Result<Vouched, String> {
        let sas = sas.iter().map(|sa| ("cells".to_owned(), sa.clone())).collect();
        choose(&sas, VIP).map(|(_, vouched)| vouched)
    }

    fn conn(classes: &[&str]) -> Found<Conn> {
        let round = |class: &str| {
            Value::Section(HashMap::from([("class".to_owned(), Value::Text(class.to_owned()))]))
        };
        let rounds = classes.iter().enumerate();
        let mut conn: Conn = rounds.map(|(at, class)| (format!("remote-{}", at + 1), round(class))).collect();
        conn.insert("local-1".to_owned(), round("pre-shared key"));
        conn.insert("remote_addrs".to_owned(), Value::List);
        vec![("cells".to_owned(), conn)]
    }

    #[test]
    fn i08_x03_an_sa_vouches_for_the_fqdn_that_its_key_proved() {
        let vouched = chosen(&[sa()]).unwrap();
        assert_eq!(vouched.identity.as_str(), "00005e005301.hnb.example");
        assert_eq!((vouched.source, vouched.ike_sa.as_deref()), ("vici", Some("7")));
    }

    #[test]
    fn i08_what_is_half_an_sa_vouches_for_nobody() {
        let other = |change: fn(&mut Sa)| {
            let mut sa = sa();
            change(&mut sa);
            sa
        };
        for (sas, why) in [
            (vec![], "no established"),
            (vec![other(|sa| sa.state = "CONNECTING".to_owned())], "no established"),
            (vec![other(|sa| sa.remote_vips = vec!["10.45.0.18".to_owned()])], "no established"),
            (vec![sa(), sa()], "several"),
            (vec![other(|sa| sa.child_sas.clear())], "no child"),
            (vec![other(|sa| sa.remote_eap_id = Some("0262@x".to_owned()))], "EAP"),
            (vec![other(|sa| sa.remote_id = "0262019876543210@nai.example".to_owned())], "no cell's"),
            (vec![other(|sa| sa.remote_id = "CN=00005e005301.hnb.example".to_owned())], "no cell's"),
            (vec![other(|sa| sa.remote_id = "192.0.2.2".to_owned())], "no cell's"),
        ] {
            let said = chosen(&sas).unwrap_err();
            assert!(said.contains(why), "{why}: {said}");
        }
    }

    #[test]
    fn p07_i08_only_public_keys_authenticate_a_tunnel() {
        assert_eq!(check_authentication("cells", &conn(&["public key"])), Ok(()));
        for classes in [&["pre-shared key"][..], &["any"], &["public key", "EAP"], &[]] {
            assert!(check_authentication("cells", &conn(classes)).is_err(), "{classes:?}");
        }
        assert!(check_authentication("others", &conn(&["public key"])).is_err());
    }

    #[tokio::test]
    async fn i08_a_daemon_that_is_away_vouches_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let vici = Vici::new(folder.path().join("charon.vici"));
        assert!(vici.vouch(VIP).await.unwrap_err().contains("cannot be asked"));
    }
}
