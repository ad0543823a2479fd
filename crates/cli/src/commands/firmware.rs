//! `hearth firmware`: sign an image for cells, look at one, and say whether cells would believe it.
//!
//! An image is read in pieces, as a cell reads it.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use profile::{FirmwareHead, FirmwareKey, FirmwareManifest, KeyPair, Sha256, StatementError};

use crate::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign an image: a file for Download with the type "1 Firmware Upgrade Image".
    Sign(Sign),
    /// Say what the manifest of a file says, whoever signed it, and print it as JSON.
    Show {
        /// The signed file.
        file: PathBuf,
    },
    /// Say whether cells with these keys would believe a file, image included; exit code 1 where they would not.
    Verify {
        /// The signed file.
        file: PathBuf,
        /// A certificate of `firmware.keys`, in the same order.
        #[arg(long, value_name = "FILE", required = true)]
        key: Vec<PathBuf>,
        /// The id of a key that signs no more.
        #[arg(long, value_name = "ID")]
        revoked: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The image, as the cell runs it.
    image: PathBuf,
    /// The certificate of the key that signs, in PEM.
    #[arg(long, value_name = "FILE")]
    signer: PathBuf,
    /// The key in PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What the cell calls itself when the image runs, for instance 2.0.1.
    #[arg(long, value_name = "VERSION")]
    version: String,
    /// The oldest version that may install it.
    #[arg(long, value_name = "VERSION")]
    minimum_version: Option<String>,
    /// The manufacturer's OUI: six hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    oui: String,
    /// The model.
    #[arg(long, value_name = "NAME")]
    product_class: String,
    /// A board that it runs on; several are named one by one.
    #[arg(long, value_name = "VERSION", required = true)]
    hardware_version: Vec<String>,
    /// Until when it may replace a newer version; never, where nothing is said.
    #[arg(long, value_name = "TIME")]
    downgrade_until: Option<Timestamp>,
    /// The id of an earlier key that signs no more, from this image on.
    #[arg(long, value_name = "ID")]
    revoke: Vec<String>,
    /// Where the signed file goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(command: &Command) -> Answer {
    match command {
        Command::Sign(order) => sign(order),
        Command::Show { file } => {
            let (head, _) = open(file)?;
            println!("{}", serde_json::to_string_pretty(&FirmwareManifest::claimed(&head)?)?);
            Ok(true)
        }
        Command::Verify { file, key, revoked } => verify(file, key, revoked),
    }
}

fn sign(order: &Sign) -> Answer {
    let (size, sha256) =
        hash(File::open(&order.image).map_err(|error| cannot("read", &order.image, &error))?)
            .map_err(|error| cannot("read", &order.image, &error))?;
    let manifest = FirmwareManifest {
        version: order.version.clone(),
        minimum_version: order.minimum_version.clone(),
        oui: order.oui.to_ascii_uppercase(),
        product_class: order.product_class.clone(),
        hardware_versions: order.hardware_version.clone(),
        size,
        sha256,
        downgrade_until: order.downgrade_until,
        revokes: order.revoke.iter().map(|id| id.to_ascii_lowercase()).collect(),
        ..FirmwareManifest::default()
    };
    let signer = KeyPair { chain: order.signer.clone(), key: order.key.clone() };
    let head = manifest.seal(&signer)?;
    write(order, &head).map_err(|error| cannot("write", &order.out, &error))?;
    println!("{}", order.out.display());
    Ok(true)
}

/// Writes beside the place and renames, so that nobody ever fetches half a file.
fn write(order: &Sign, head: &[u8]) -> io::Result<()> {
    let mut beside = order.out.clone().into_os_string();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(head)?;
    io::copy(&mut File::open(&order.image)?, &mut file)?;
    file.sync_all()?;
    std::fs::rename(beside, &order.out)
}

fn verify(file: &Path, keys: &[PathBuf], revoked: &[String]) -> Answer {
    let keys = keys.iter().map(|key| FirmwareKey::read(key)).collect::<Result<Vec<_>, _>>()?;
    for key in &keys {
        println!("key {}", key.id);
    }
    let (head, image) = match open(file) {
        Ok(read) => read,
        Err(error) if error.is::<StatementError>() => return Ok(refused(&error.to_string())),
        Err(error) => return Err(error),
    };
    let revoked: BTreeSet<String> = revoked.iter().map(|id| id.to_ascii_lowercase()).collect();
    let manifest = match FirmwareManifest::open(&head, &keys, &revoked, Timestamp::now()) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(refused(&error.to_string())),
    };
    let (size, sha256) = hash(image).map_err(|error| cannot("read", file, &error))?;
    if (size, &sha256) != (manifest.size, &manifest.sha256.to_ascii_lowercase()) {
        let text = format!("the image has {size} bytes and the hash {sha256}, and is another one");
        return Ok(refused(&text));
    }
    println!(
        "version {} for {} {}, signed by {}",
        manifest.version, manifest.oui, manifest.product_class, manifest.key_id
    );
    Ok(true)
}

fn refused(why: &str) -> bool {
    println!("cells would refuse it: {why}");
    false
}

/// The statement of a file, and the file where its image begins.
fn open(path: &Path) -> Result<(Vec<u8>, impl Read), Box<dyn std::error::Error>> {
    let mut file = File::open(path).map_err(|error| cannot("read", path, &error))?;
    let (mut begun, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(head) = FirmwareHead::read(&begun)? {
            let (statement, length) = (head.statement.to_vec(), head.length);
            let image = io::Cursor::new(begun.split_off(length));
            return Ok((statement, image.chain(file)));
        }
        let count = file.read(&mut piece).map_err(|error| cannot("read", path, &error))?;
        let read = piece.get(..count).unwrap_or_default();
        if read.is_empty() {
            return Err(format!("{} ends before its manifest does", path.display()).into());
        }
        begun.extend_from_slice(read);
    }
}

fn hash(mut image: impl Read) -> io::Result<(u64, String)> {
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = image.read(&mut piece)?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else {
            return Ok((size, hash.finish()));
        };
        hash.update(read);
        size += u64::try_from(count).unwrap_or_default();
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}
