//! Cleaning: what nobody has goes, and what somebody has stays; what is there is counted.

use std::{path::Path as Folder, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};

use super::{clean, *};
use crate::{
    Hems,
    store::{Full as NoRoom, Quota, Removal, Stray},
};

const IDENTITY: &str = "00005e005301.hnb.example";

impl Files {
    /// Files of a test, of at most a kilobyte for each cell.
    pub(crate) fn for_tests(folder: &Folder) -> Self {
        let filing = Filing {
            folder: folder.join("files"),
            file_bytes: 4096,
            upload_bytes: 1024,
            device_bytes: 1024,
            total_bytes: 8192,
            url_lives: SignedDuration::from_hours(1),
            keeps: SignedDuration::from_hours(1),
            keys: Vec::new(),
        };
        Self::open(filing).unwrap()
    }
}

fn names(hems: &Hems) -> Vec<String> {
    let entries = std::fs::read_dir(&hems.files.filing.folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn log(identity: Option<&str>, origin: &str) -> Arriving {
    Arriving {
        kind: Kind::Log,
        name: "log".to_owned(),
        identity: identity.map(str::to_owned),
        origin: Some(origin.to_owned()),
        author: String::new(),
        size_max: 1024,
    }
}

#[tokio::test]
async fn what_comes_through_a_url_again_takes_the_place_of_what_came_before_and_its_room() {
    let folder = tempfile::tempdir().unwrap();
    let hems = Arc::new(Hems::for_tests(folder.path(), Duration::from_secs(60)).await);
    let send = async |text: &'static [u8], origin| {
        receive(&hems, log(Some(IDENTITY), origin), Full::new(Bytes::from_static(text))).await
    };
    let first = send(&[1; 400], "a").await.unwrap();
    let second = send(&[2; 400], "a").await.unwrap();
    assert!(hems.store.file(first.id).await.unwrap().is_none());
    assert!(matches!(send(&[3; 400], "b").await, Err(FileError::DeviceFull)), "the old one still counts");
    clean::once(&hems).await.unwrap();
    assert_eq!(names(&hems), [second.content.as_str()]);
    send(&[3; 400], "b").await.unwrap();
    assert_eq!(names(&hems).len(), 2);
}

#[tokio::test]
async fn what_a_power_cut_left_goes_and_what_is_being_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let hems = Arc::new(Hems::for_tests(folder.path(), Duration::from_secs(60)).await);
    let quota = Quota { device: 1000, all: 1000 };
    let stray = |content: &str, at| Stray { content: content.to_owned(), identity: None, size: 600, at };
    let now = hems.now();
    hems.store.reserve(stray("left", Timestamp::UNIX_EPOCH), quota).await.unwrap().unwrap();
    assert_eq!(hems.store.reserve(stray("more", now), quota).await.unwrap(), Err(NoRoom::All));
    for name in ["left", "left#1", "written#1"] {
        std::fs::write(hems.files.filing.folder.join(name), "x").unwrap();
    }
    clean::once(&hems).await.unwrap();
    assert_eq!(names(&hems), ["written#1"]);
    hems.store.reserve(stray("written", now), quota).await.unwrap().unwrap();
    clean::once(&hems).await.unwrap();
    assert_eq!(names(&hems), ["written#1"]);
}

#[tokio::test]
async fn a_file_of_a_cell_goes_after_its_time_and_one_of_a_person_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut hems = Hems::for_tests(folder.path(), Duration::from_secs(60)).await;
    hems.files.filing.keeps = SignedDuration::from_secs(-60);
    let hems = Arc::new(hems);
    for identity in [Some(IDENTITY), None] {
        receive(&hems, log(identity, "a"), Full::new(Bytes::from_static(b"x"))).await.unwrap();
    }
    clean::once(&hems).await.unwrap();
    let left = hems.store.files(i64::MAX, None, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|file| file.identity.as_deref()).collect::<Vec<_>>(), [None]);
    assert_eq!(names(&hems), [left[0].content.as_str()]);
    let removed =
        hems.store.remove_file(left[0].id, hems.now(), crate::store::Condition::default()).await.unwrap();
    assert_eq!(removed, Removal::Done(left[0].content.clone()));
}
