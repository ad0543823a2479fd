//! Claims about the state: what was saved is read again, and what is damaged is not believed.

use super::{disk::FORMER, *};

fn state(clock: i64) -> State {
    State {
        format: FORMAT,
        number: 0,
        clock: Timestamp::from_second(clock).unwrap(),
        corrections: 0,
        leapt: Duration::ZERO,
        trust: Trust::default(),
        recovery: Recovery::default(),
        alarms: Alarms::default(),
        rings: Rings::default(),
        firmware: Firmware::default(),
        configured: "https://hems.example/".to_owned(),
        contacted: None,
        agenda: Agenda::default(),
        changed: BTreeSet::new(),
        reboot: None,
        reset: false,
        listens: false,
        schedules: Vec::new(),
        transfers: Vec::new(),
        reach: Reach::default(),
        device: device::Snapshot::default(),
    }
}

#[derive(Default)]
struct Numbers(Mutex<Vec<u64>>);

impl Witness for Numbers {
    fn committed(&self, number: u64) {
        self.0.lock().unwrap().push(number);
    }
}

#[tokio::test]
async fn k01_what_was_saved_is_read_again_and_the_numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = Arc::new(Numbers::default());
    for round in 0..2 {
        let (mut file, found) = StateFile::open(folder.path(), numbers.clone()).unwrap();
        assert_eq!(found.map(|state| state.number), (round > 0).then_some(round * 2));
        file.save(state(1)).await.unwrap();
        file.save(state(2)).await.unwrap();
    }
    let (_, found) = StateFile::open(folder.path(), numbers.clone()).unwrap();
    assert_eq!(found, Some(State { number: 4, ..state(2) }));
    assert_eq!(*numbers.0.lock().unwrap(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_torn_write_beside_the_state_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
    file.save(state(7)).await.unwrap();
    drop(file);
    fs::write(folder.path().join("state.json.new"), b"{\"form").unwrap();
    let (_, found) = StateFile::open(folder.path(), Arc::new(())).unwrap();
    assert_eq!(found.map(|state| state.clock.as_second()), Some(7));
}

/// Two saves, and what lies on the disk after them: the state and the one before it.
async fn saved_twice() -> (tempfile::TempDir, [Vec<u8>; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
    for clock in [6, 7] {
        file.save(state(clock)).await.unwrap();
    }
    let bytes = [STATE_FILE, FORMER].map(|name| fs::read(folder.path().join(name)).unwrap());
    (folder, bytes)
}

/// What is read when a file has this content. Unlinked first: a disk that tears one name leaves the other's content alone.
fn read_with(folder: &Path, name: &str, content: &[u8]) -> (Option<(u64, i64)>, Option<String>) {
    let _ = fs::remove_file(folder.join(name));
    fs::write(folder.join(name), content).unwrap();
    let (found, note) = newest(folder).unwrap();
    (found.map(|state| (state.number, state.clock.as_second())), note)
}

#[tokio::test]
async fn k01_a_state_torn_at_any_byte_gives_way_to_the_one_before_it() {
    let (folder, [whole, former]) = saved_twice().await;
    for (name, is_newest) in [("state.json.new", true), (STATE_FILE, false)] {
        for cut in 0..whole.len() {
            let (begun, lost) = whole.split_at(cut);
            let zeros = vec![0; lost.len()];
            let before = former.get(cut..).unwrap_or_default();
            let flipped: Vec<u8> =
                lost.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 0)).collect();
            for rest in [&[], zeros.as_slice(), before, &flipped] {
                let content = [begun, rest].concat();
                let (found, note) = read_with(folder.path(), name, &content);
                // Of what was torn before its first byte the former one is left, and after its last nothing is missing.
                let is_whole = content == whole || content == former;
                let expected = if is_newest || content == whole { (2, 7) } else { (1, 6) };
                assert_eq!(found, Some(expected), "{name}, byte {cut}");
                assert_eq!(note.is_none(), is_newest || is_whole, "{name}, byte {cut}");
            }
        }
    }
}

#[tokio::test]
async fn k01_a_flipped_bit_of_a_value_is_not_believed() {
    let (folder, [whole, _]) = saved_twice().await;
    let text = String::from_utf8(whole).unwrap();
    let other = text.replace("https://hems.example/", "https://hems.exbmple/");
    assert!(other != text && serde_json::from_str::<State>(&other).is_ok(), "JSON alone does not see it");
    let (found, note) = read_with(folder.path(), STATE_FILE, other.as_bytes());
    assert_eq!(found, Some((1, 6)));
    assert!(note.unwrap().contains("its SHA-256 is another one"));
}

#[tokio::test]
async fn k01_a_state_from_before_the_digest_is_read_and_the_next_save_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let old = serde_json::to_vec(&State { number: 5, ..state(7) }).unwrap();
    assert_eq!(read_with(folder.path(), STATE_FILE, &old), (Some((5, 7)), None));
    let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
    file.save(state(8)).await.unwrap();
    let saved = fs::read(folder.path().join(STATE_FILE)).unwrap();
    assert!(saved.starts_with(br#"{"sha256":""#));
    // An older henbd, which an image that is given up may bring back, reads it as it always did.
    assert_eq!(serde_json::from_slice::<State>(&saved).unwrap(), State { number: 6, ..state(8) });
}

#[tokio::test]
async fn k01_a_state_that_is_lost_gives_way_to_the_one_before_it_and_that_is_said() {
    let (folder, _) = saved_twice().await;
    let path = folder.path().join(STATE_FILE);
    fs::remove_file(&path).unwrap();
    let (_, note) = newest(folder.path()).unwrap();
    assert_eq!(note.as_deref(), Some("the state 1 is used, the one after it in state.json is missing"));
    let (file, found) = StateFile::open(folder.path(), Arc::new(())).unwrap();
    assert_eq!((found.map(|state| state.number), file.note()), (Some(1), note.as_deref()));
    assert!(path.exists() && !folder.path().join(FORMER).exists());
    // Where no cell ever ran nothing is missing.
    let (_, found) = StateFile::open(tempfile::tempdir().unwrap().path(), Arc::new(())).unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn k01_after_a_torn_state_the_whole_one_outlives_the_next_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
    for clock in [6, 7] {
        file.save(state(clock)).await.unwrap();
    }
    drop(file);
    let path = folder.path().join(STATE_FILE);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"").unwrap();
    let (mut file, found) = StateFile::open(folder.path(), Arc::new(())).unwrap();
    assert_eq!((found.map(|state| state.number), file.note().is_some()), (Some(1), true));
    assert_eq!(newest(folder.path()).unwrap().0.map(|state| state.number), Some(1));
    file.save(state(8)).await.unwrap();
    fs::write(&path, b"{").unwrap();
    assert_eq!(newest(folder.path()).unwrap().0.map(|state| state.number), Some(1));
}

#[tokio::test]
async fn k01_a_save_cut_between_its_steps_leaves_a_whole_state() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, _) = StateFile::open(folder.path(), Arc::new(())).unwrap();
    for clock in [6, 7] {
        file.save(state(clock)).await.unwrap();
    }
    let found = || newest(folder.path()).unwrap().0.map(|state| state.clock.as_second());
    // Without the former one, and then with nothing but it.
    fs::remove_file(folder.path().join(FORMER)).unwrap();
    assert_eq!(found(), Some(7));
    fs::rename(folder.path().join(STATE_FILE), folder.path().join(FORMER)).unwrap();
    assert_eq!(found(), Some(7));
}

#[test]
fn what_is_no_state_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(STATE_FILE), b"{}").unwrap();
    let open = || StateFile::open(folder.path(), Arc::new(())).map(|(_, state)| state);
    assert!(matches!(open(), Err(StateError::Unreadable { .. })));
    let newer = State { format: 2, ..state(1) };
    fs::write(folder.path().join(STATE_FILE), serde_json::to_vec(&newer).unwrap()).unwrap();
    assert!(matches!(open(), Err(StateError::Format { found: 2, .. })));
}

#[test]
fn two_daemons_on_one_folder_are_one_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let _first = StateFile::open(folder.path(), Arc::new(())).unwrap();
    let second = StateFile::open(folder.path(), Arc::new(())).map(drop);
    assert!(matches!(second, Err(StateError::InUse { .. })));
}
