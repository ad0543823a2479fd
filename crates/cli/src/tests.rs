//! Every operation of the API has a command, and every command of the API has a line here.
//!
//! ```text
//!  COMMANDS ─▶ Arguments ─▶ run ─▶ an API that nods and notes ─▶ the operations of docs/operate/roles.md
//! ```

use std::{fs, path::Path};

use clap::CommandFactory;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::*;

/// Operations that no command needs, and why.
const EXCEPTIONS: [(&str, &str); 4] = [
    ("show-recording-order", "`session record` prints it, and the sessions that came of it are listed"),
    ("show-openapi", "a document for programs; docs/openapi.json is the same"),
    ("logout", "a command has a token, and no login that it could end"),
    ("show-place", "`device show` has it; alone it is for programs that write it back with If-Match"),
];

/// A use of each command; in capitals what [`World`] has.
const COMMANDS: &[&str] = &[
    "me show",
    "me server",
    "me password --present-file SECRET --next-file SECRET",
    "account first ann --link-file LINK --password-file SECRET",
    "account list",
    "account roles",
    "account show ann",
    "account add ann --role viewer --password-file SECRET",
    "account change ann --role viewer",
    "account password ann --password-file SECRET",
    "account remove ann",
    "token list",
    "token add export",
    "token remove abcd",
    "machine list",
    "machine add nms --subject CN=nms --role viewer",
    "machine remove nms",
    "audit-log list",
    "audit-log export",
    "audit-log verify",
    "device list",
    "device list --filter site=x",
    "device count",
    "device show CELL",
    "device admit CELL --oui 00005E --product-class X --serial 1",
    "device import FILE",
    "device export",
    "device import-places FILE",
    "device swap CELL --to OTHER",
    "device withdraw CELL",
    "device place CELL --site north --tag a --label rack=7",
    "device clear CELL",
    "device lock CELL",
    "device unlock CELL",
    "device reboot CELL --wake",
    "device refresh CELL Device.",
    "device set CELL Device.X=1",
    "device download CELL 7",
    "device upload CELL log",
    "device wake CELL",
    "device action @FILE --filter site=x --dry-run",
    "device dead-letters CELL",
    "device retry CELL",
    "device calls CELL",
    "device cancel CELL 7",
    "device history CELL",
    "device preview CELL",
    "device call CELL @FILE",
    "values show CELL",
    "values put CELL FILE --draft",
    "values history CELL",
    "values apply CELL 1",
    "values delete CELL",
    "template list",
    "template show all",
    "template put all FILE --finish-days 3",
    "template preview all",
    "template history all",
    "template apply all 1",
    "template delete all --reason x",
    "pool list",
    "pool show pci",
    "pool put pci 0 503",
    "pool delete pci",
    "pool draws pci",
    "pool release pci CELL",
    "pool reserve pci CELL 7",
    "change list",
    "change show 1",
    "change approve 1",
    "change stop 1 --reason x",
    "change resume 1",
    "change finish 1",
    "change withdraw 1",
    "freeze show",
    "freeze begin --reason x",
    "freeze end",
    "radio-off list",
    "radio-off order site=x --reason x",
    "radio-off show 1",
    "radio-off lift 1",
    "file list --kind log --identity CELL",
    "file add FILE --kind configuration",
    "file show 7",
    "file fetch 7",
    "file delete 7",
    "alarm list --severity major",
    "alarm evaluate",
    "alarm show 1",
    "alarm ack 1 --note x",
    "alarm unack 1",
    "event listen --type alarm.raised --after 7",
    "webhook list",
    "webhook add https://hooks.example/",
    "webhook show 1",
    "webhook delete 1",
    "webhook rotate 1",
    "webhook test 1",
    "webhook deliveries 1 --state dead",
    "webhook resend 1 2",
    "refusal list",
    "block list",
    "block add identity CELL --reason x",
    "block remove identity CELL",
    "trust preview --chain FILE",
    "trust lists",
    "trust grace",
    "trust grace --anchor a --reason x",
    "trust grace --anchor a --reason x --days 0",
    "trust expiry",
    "session list --identity CELL",
    "session show 1",
    "session record CELL --sessions 2",
    "session record CELL --stop",
    "session recording 1",
    "session recording 1 --delete",
    "session replay 1 --template all --file FILE",
];

/// What the API answers to everything: no item of any list, and no fault with anything.
const NOD: &str =
    r#"{"items": [], "changed": 0, "same": 0, "failed": 0, "wrong": 0, "differs": 0, "unanswered": 0}"#;

/// A request as the API saw it.
struct Asked {
    method: String,
    path: String,
    has_token: bool,
}

/// An API that nods, with files for the commands.
struct World {
    folder: tempfile::TempDir,
    address: String,
    asked: UnboundedReceiver<Asked>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("TOKEN", "t"), ("SECRET", "p"), ("LINK", "http://x/first-administrator#k"), ("FILE", "{}")]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                nod(stream, &tell).await;
            }
        });
        Self { folder, address, asked }
    }

    /// Runs a command, and gives what it asked for.
    async fn run(&mut self, line: &str) -> Vec<Asked> {
        let fill = |word: &str| fill(self.folder.path(), word);
        let token = self.folder.path().join("TOKEN").display().to_string();
        let connection = ["--api", &self.address, "--token-file", &token].map(str::to_owned);
        let words = ["hearth".to_owned()].into_iter().chain(line.split(' ').map(fill)).chain(connection);
        let arguments = Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        let answer = run(arguments.command).await;
        assert!(answer.is_ok_and(|is_so| is_so), "{line}");
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }
}

fn fill(folder: &Path, word: &str) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    match word {
        "CELL" => "00005e005301.hnb.example".to_owned(),
        "OTHER" => "00005e005302.hnb.example".to_owned(),
        "SECRET" | "LINK" | "FILE" => file(word),
        "@FILE" => format!("@{}", file("FILE")),
        other => other.to_owned(),
    }
}

/// Reads one request whole, notes it, and nods.
async fn nod(stream: TcpStream, tell: &UnboundedSender<Asked>) {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length, mut has_token) = (String::new(), 0, false);
    stream.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line.trim().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("authorization", value)) => has_token = value == "Bearer t",
            Some(_) => {}
            None => break,
        }
    }
    stream.read_exact(&mut vec![0; length]).await.unwrap();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    // The request has the API's address, too, as one to a proxy would.
    let path = format!("/api/{}", path.split_once("/api/").unwrap().1);
    tell.send(Asked { method, path, has_token }).unwrap();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{NOD}", NOD.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// The operations that roles may be given: name, method, path.
fn operations() -> Vec<(String, String, String)> {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate/roles.md")).unwrap();
    let operation = |line: &str| {
        let mut words = line.strip_prefix("| `")?.split(['`', '|', ' ']).filter(|word| !word.is_empty());
        Some((words.next()?.to_owned(), words.next()?.to_owned(), words.next()?.to_owned()))
    };
    page.lines().filter_map(operation).collect()
}

/// Whether a path is one of an operation's.
fn is_of(path: &str, template: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let same = |(part, wanted): (&str, &str)| wanted.starts_with('{') || part == wanted;
    path.split('/').count() == template.split('/').count()
        && path.split('/').zip(template.split('/')).all(same)
}

/// The commands below one that are asked something, each by its words.
fn leaves(command: &clap::Command, words: &str, found: &mut Vec<String>) {
    let is_over_the_api = command.get_arguments().any(|argument| argument.get_id() == "token_file");
    if !command.has_subcommands() && is_over_the_api {
        found.push(words.trim().to_owned());
    }
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        leaves(inner, &format!("{words} {}", inner.get_name()), found);
    }
}

#[tokio::test]
async fn o12_every_operation_of_the_api_has_a_command() {
    let mut world = World::new().await;
    let mut asked = Vec::new();
    for line in COMMANDS {
        let requests = world.run(line).await;
        assert!(!requests.is_empty(), "{line} asks nothing");
        let is_known = |request: &Asked| request.has_token || request.path.ends_with("/first-administrator");
        assert!(requests.iter().all(is_known), "{line} shows no token");
        asked.extend(requests);
    }
    let operations = operations();
    assert!(operations.len() > 80, "the page of roles is read: {operations:?}");
    let is_reached = |method: &str, template: &str| {
        asked.iter().any(|request| request.method == method && is_of(&request.path, template))
    };
    for (name, method, path) in &operations {
        let is_excepted = EXCEPTIONS.iter().any(|(excepted, _)| excepted == name);
        assert_ne!(is_reached(method, path), is_excepted, "{name}: {method} {path}");
    }
}

#[tokio::test]
async fn no_command_asks_what_the_operation_does_not_know() {
    let document = include_str!("../../../docs/openapi.json");
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let operations = operations();
    let mut world = World::new().await;
    let mut count = 0;
    for line in COMMANDS {
        for Asked { method, path, .. } in world.run(line).await {
            let of = |(_, verb, place): &&(String, String, String)| *verb == method && is_of(&path, place);
            // What is open to strangers is on no page of roles, and has no query.
            let place = operations.iter().find(of).map_or("/api/v1/first-administrator", |(.., place)| place);
            let known =
                document["paths"][place][method.to_ascii_lowercase()]["parameters"].as_array().unwrap();
            for one in
                path.split_once('?').map_or("", |(_, query)| query).split('&').filter(|one| !one.is_empty())
            {
                let name = one.split('=').next().unwrap();
                let is_known = known.iter().any(|known| known["in"] == "query" && known["name"] == name);
                assert!(is_known, "{line}: {method} {path}");
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count} are too few: something is not read");
}

#[test]
fn every_command_of_the_api_has_a_line() {
    let mut command = Arguments::command();
    command.build();
    let mut found = Vec::new();
    leaves(&command, "", &mut found);
    let has_line =
        |leaf: &String| COMMANDS.iter().any(|line| *line == leaf || line.starts_with(&format!("{leaf} ")));
    let without: Vec<_> = found.iter().filter(|leaf| !has_line(leaf)).collect();
    assert!(found.len() > 80 && without.is_empty(), "{} commands; without: {without:?}", found.len());
}

#[test]
fn no_argument_of_a_command_hides_one_of_all() {
    Arguments::command().debug_assert();
    let own: Vec<_> = Arguments::command()
        .find_subcommand("device")
        .unwrap()
        .get_arguments()
        .map(|it| it.get_id().clone())
        .collect();
    for noun in Arguments::command()
        .get_subcommands()
        .filter(|it| it.get_arguments().any(|it| it.get_id() == "token_file"))
    {
        for verb in noun.get_subcommands() {
            let hidden: Vec<_> =
                verb.get_arguments().map(clap::Arg::get_id).filter(|id| own.contains(id)).collect();
            assert!(hidden.is_empty(), "{} {}: {hidden:?}", noun.get_name(), verb.get_name());
        }
    }
}

#[test]
fn an_error_shows_the_usage_of_the_help_whatever_the_environment_says() {
    let command = commands::manual::with_plain_usages(Arguments::command());
    let typed =
        ["hearth", "account", "add", "ann", "--no-password", "--api", "http://x", "--token-file", "t"];
    let error = command.try_get_matches_from(typed).unwrap_err().to_string();
    assert!(error.contains("Usage: hearth account add [OPTIONS] --role <ROLE> <NAME>\n"), "{error}");
    assert!(!error.contains("--api"), "{error}");
}
