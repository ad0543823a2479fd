//! Where the database is: a file of this node's own, or a server that the nodes share.

use std::{
    env, fmt,
    fs::{OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use nix::unistd::{Uid, User};
use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::{StoreError, link::Tx};

/// Kilobytes of pages that SQLite's writer keeps, as SQLite writes it: the upper pages of every index of a million devices.
const WRITER_CACHE: &str = "-16384";
/// Pages that SQLite's log takes before they are moved to their places: a page that changes often is moved once.
const LOG_PAGES: &str = "4000";
/// How long a statement waits for another process that holds the file, such as a backup.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How long a server may take to answer a new connection.
const ANSWER: Duration = Duration::from_secs(10);
/// What each connection to a server asks for, in milliseconds. A node that stands still in the middle of a commit
/// holds up all others no longer than the first, and nobody waits for a commit of another node longer than the second.
const PATIENCE: [(&str, &str); 2] =
    [("idle_in_transaction_session_timeout", "10000"), ("lock_timeout", "20000")];

/// Why a text names no database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(
        "it is a URL such as \"postgres:///hearth?host=/run/postgresql\" or \"postgres://hearth@db.example/hearth\""
    )]
    Scheme,
    #[error("a password stands in the file that `store_password_file` names, never in the URL")]
    Password,
    #[error("it names no database; that is the path, such as \"postgres:///hearth\"")]
    Nameless,
    #[error(
        "it names no user, and the system has no name for the user {0} that this process runs as: put one before an `@`, or as `user=`"
    )]
    Anonymous(Uid),
    #[error("{0}")]
    Options(#[from] sqlx::Error),
}

/// A database.
#[derive(Clone)]
pub(crate) enum Place {
    /// SQLite.
    File(PathBuf),
    /// PostgreSQL.
    Server(Box<PgConnectOptions>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(server) => {
                let host = server
                    .get_socket()
                    .map_or_else(|| server.get_host().into(), |socket| socket.to_string_lossy());
                write!(f, "PostgreSQL at {host}, database {}", server.get_database().unwrap_or_default())
            }
        }
    }
}

impl Place {
    /// A server by its URL. Without a user it is `$PGUSER`, or who this process runs as, as with libpq. Without a
    /// password nobody asks the environment for one, and over a network the server's certificate is verified unless the
    /// URL says otherwise.
    pub(crate) fn server(url: &str, password: Option<&str>) -> Result<Self, PlaceError> {
        let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| is_postgres(scheme)) else {
            return Err(PlaceError::Scheme);
        };
        if has_password(rest) {
            return Err(PlaceError::Password);
        }
        let mut options = PgConnectOptions::from_str(url)?
            .password(password.unwrap_or_default())
            .application_name("hearth")
            .options(PATIENCE);
        if options.get_database().is_none() {
            return Err(PlaceError::Nameless);
        }
        if !has_user(rest) && env::var_os("PGUSER").is_none() {
            options = options.username(&own_name()?);
        }
        if !rest.contains("sslmode=") {
            let is_here = options.get_socket().is_some() || options.get_host().starts_with('/');
            options = options.ssl_mode(if is_here { PgSslMode::Disable } else { PgSslMode::VerifyFull });
        }
        Ok(Self::Server(Box::new(options)))
    }

    /// A connection of its own, for the writer. A file is made where it is missing.
    pub(super) async fn connect(&self) -> Result<Tx, sqlx::Error> {
        Ok(match self {
            Self::File(path) => {
                let options =
                    sqlite(path).pragma("cache_size", WRITER_CACHE).pragma("wal_autocheckpoint", LOG_PAGES);
                // A statement of several rows keeps what it may have to undo, and would make a file for that.
                let options = options.pragma("temp_store", "memory");
                Tx::sqlite(options.connect().await?)
            }
            Self::Server(server) => {
                let connection = tokio::time::timeout(ANSWER, server.connect()).await;
                Tx::postgres(connection.map_err(|_| silence())??)
            }
        })
    }

    /// A connection that reads.
    pub(super) async fn reader(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Self::File(path) => Ok(Tx::sqlite(sqlite(path).connect().await?)),
            Self::Server(_) => self.connect().await,
        }
    }

    /// Whom we serve and where cells stand is the owner's business; SQLite gives its other files the mode of the
    /// first, and on a server it is the server's.
    pub(super) fn keep_private(&self) -> Result<(), StoreError> {
        let Self::File(path) = self else { return Ok(()) };
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        for end in ["-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            match std::fs::set_permissions(name, Permissions::from_mode(0o600)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn sqlite(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_WAIT)
}

/// What a server that does not answer is.
pub(super) fn silence() -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer").into()
}

fn is_postgres(scheme: &str) -> bool {
    scheme == "postgres" || scheme == "postgresql"
}

/// Whether there is a password beside the user's name, or among the options.
fn has_password(rest: &str) -> bool {
    let (authority, options) = rest.split_once('?').unwrap_or((rest, ""));
    let user = authority.split('/').next().and_then(|authority| authority.rsplit_once('@'));
    user.is_some_and(|(user, _)| user.contains(':'))
        || options.split('&').any(|option| option.starts_with("password="))
}

/// Whether there is a user before the host, or among the options.
fn has_user(rest: &str) -> bool {
    let (authority, options) = rest.split_once('?').unwrap_or((rest, ""));
    let host = authority.split('/').next().unwrap_or_default();
    host.rsplit_once('@').is_some_and(|(user, _)| !user.is_empty())
        || options.split('&').any(|option| option.starts_with("user="))
}

/// What the system calls the user that this process runs as.
fn own_name() -> Result<String, PlaceError> {
    let id = Uid::effective();
    let user = User::from_uid(id).ok().flatten();
    user.map(|user| user.name).ok_or(PlaceError::Anonymous(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<PgConnectOptions, String> {
        match Place::server(url, None) {
            Ok(Place::Server(options)) => Ok(*options),
            Ok(Place::File(_)) => unreachable!("a URL is no file"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_network_is_not_trusted_unless_one_says_so() {
        let mode = |url| server(url).unwrap().get_ssl_mode();
        assert!(matches!(mode("postgres://hearth@db.example/hearth"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://[::1]/hearth?sslmode=disable"), PgSslMode::Disable));
        let socket = server("postgresql:///hearth?host=/run/postgresql&user=me").unwrap();
        assert_eq!(socket.get_socket().unwrap(), Path::new("/run/postgresql"));
        assert_eq!((socket.get_username(), socket.get_database()), ("me", Some("hearth")));
    }

    #[test]
    fn a_user_is_the_one_of_the_url_or_whom_the_process_runs_as() {
        let user = |url| server(url).unwrap().get_username().to_owned();
        let own = env::var("PGUSER").unwrap_or_else(|_| own_name().unwrap());
        for (url, expected) in [
            ("postgres:///hearth?host=/run/postgresql", own.as_str()),
            ("postgres://@db.example/hearth", own.as_str()),
            ("postgres:///hearth?host=/run/a@b", own.as_str()),
            ("postgres://hearth@db.example/hearth", "hearth"),
            ("postgres:///hearth?user=hearth", "hearth"),
        ] {
            assert_eq!(user(url), expected, "{url}");
        }
    }

    #[test]
    fn a_url_says_what_is_wrong_with_it() {
        let wrong = |url| server(url).err().unwrap_or_default();
        assert!(wrong("mysql://db/hearth").starts_with("it is a URL such as"));
        assert!(wrong("hearth.sqlite3").starts_with("it is a URL such as"));
        assert!(wrong("postgres://db.example").starts_with("it names no database"));
        assert!(wrong("postgres://db.example/hearth?sslmode=maybe").contains("maybe"));
        for url in ["postgres://me:secret@db/hearth", "postgres://db/hearth?user=me&password=secret"] {
            let said = wrong(url);
            assert!(said.contains("store_password_file") && !said.contains("secret"), "{said}");
        }
    }
}
