//! Who makes the firmware of a cell: two keys, and files that are signed with one of them.

use cwmp::{AcsMethod, CpeMethod, Download, FromCpe, Text};
use henb::{
    ImageStatus, Slot, State,
    device::{FIRMWARE, path},
};
use hyper::Method;
use profile::{FirmwareKey, FirmwareManifest, KeyPair, Sha256, pki};

use super::{Post, World};

/// An image that boots.
pub const IMAGE: &[u8] = b"HEARTH-IMAGE 2.0.0\nwhat a cell runs";
/// One that does not.
pub const BROKEN: &[u8] = b"HEARTH-IMAGE broken\nwhat a cell does not run";

/// A world whose cell knows both keys of its manufacturer.
pub struct Factory {
    pub world: World,
    pub keys: [KeyPair; 2],
}

impl Factory {
    pub async fn new() -> Self {
        let mut world = World::new().await;
        let keys = pki::FIRMWARE_SIGNERS.map(|name| pki::issue_firmware_signer(&world.pki(), name).unwrap());
        world.config.firmware.keys = keys.iter().map(|pair| pair.chain.clone()).collect();
        Self { world, keys }
    }

    pub fn key_id(&self, which: usize) -> String {
        FirmwareKey::read(&self.keys.get(which).unwrap().chain).unwrap().id
    }

    /// The file of an image, signed with the working key.
    pub fn file(&self, image: &[u8]) -> Vec<u8> {
        self.signed(manifest(image), image)
    }

    pub fn signed(&self, manifest: FirmwareManifest, image: &[u8]) -> Vec<u8> {
        [manifest.seal(&self.keys[0]).unwrap().as_slice(), image].concat()
    }

    /// Runs the cell through one download of this file, and gives the code that it told.
    pub async fn fetch(&self, file: &[u8]) -> u32 {
        self.world.acs.file(file);
        self.run(download(&format!("{}image", self.world.acs.url()), 0)).await
    }

    pub async fn run(&self, download: CpeMethod) -> u32 {
        let before = told(&self.world).len();
        self.world.acs.script_once(vec![download]);
        let mut cell = self.world.start();
        cell.until(|status| status.sessions >= 2).await;
        cell.stop().await;
        *told(&self.world).get(before).unwrap()
    }

    pub fn state(&self) -> State {
        self.world.state()
    }

    /// Nothing has changed but, perhaps, the status of the image that does not run.
    pub fn expect_untouched(&self, status: ImageStatus, case: &str) {
        let state = self.state();
        assert_eq!(statuses(&state), [ImageStatus::Active, status], "{case}");
        assert_eq!(shown(&state, path::SOFTWARE), env!("CARGO_PKG_VERSION"), "{case}");
        assert_eq!(state.device.journal.reboots, 0, "{case}");
        assert!(state.transfers.is_empty() && state.agenda.calls().is_empty(), "{case}");
    }
}

pub fn sha256(image: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(image);
    hash.finish()
}

pub fn manifest(image: &[u8]) -> FirmwareManifest {
    FirmwareManifest {
        version: "2.0.0".to_owned(),
        oui: "00005E".to_owned(),
        product_class: "SimulatedCell".to_owned(),
        hardware_versions: vec!["1".to_owned()],
        size: u64::try_from(image.len()).unwrap(),
        sha256: sha256(image),
        ..FirmwareManifest::default()
    }
}

pub fn download(url: &str, file_size: u32) -> CpeMethod {
    Download {
        command_key: "fetch".into(),
        file_type: FIRMWARE.into(),
        url: url.to_owned().into(),
        username: Text::new(),
        password: Text::new(),
        file_size,
        target_file_name: Text::new(),
        delay_seconds: 0,
        success_url: Text::new(),
        failure_url: Text::new(),
    }
    .into()
}

/// The codes that TransferComplete told, in their order.
pub fn told(world: &World) -> Vec<u32> {
    let posts = world.acs.posts();
    let messages = posts.iter().filter(|post| post.method == Method::POST).map(Post::message);
    messages
        .filter_map(|message| match message {
            FromCpe::Call(AcsMethod::TransferComplete(call)) => Some(call.fault_struct.fault_code.0),
            FromCpe::Call(_) | FromCpe::Response(_) | FromCpe::Fault(_) | FromCpe::Empty => None,
        })
        .collect()
}

pub fn events(inform: &cwmp::Inform) -> Vec<&str> {
    inform.event.iter().map(|event| event.event_code.as_str()).collect()
}

pub fn statuses(state: &State) -> [ImageStatus; 2] {
    [Slot::First, Slot::Second].map(|slot| state.firmware.image(slot).status)
}

pub fn shown<'s>(state: &'s State, name: &str) -> &'s str {
    state.device.tree.values.get(&name.parse().unwrap()).unwrap()
}
