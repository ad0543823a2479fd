//! A good certificate that an operator shut out gets an alert and no data. (I-12)

use std::sync::{Arc, Mutex};

use profile::{Blocklist, CertificateFacts, Identity, Reason};

use crate::world::{CELL, Server, World, pinned, s_client};

/// Shuts out one key, and remembers what it was asked.
#[derive(Debug, Default)]
struct Key {
    shut_out: Mutex<Option<String>>,
    seen: Mutex<Vec<Vec<CertificateFacts>>>,
}

impl Blocklist for Key {
    fn blocked(&self, identity: &Identity, chain: &[CertificateFacts]) -> Option<String> {
        assert_eq!(identity.as_str(), CELL);
        self.seen.lock().unwrap().push(chain.to_vec());
        let shut_out = self.shut_out.lock().unwrap().clone()?;
        (chain.first()?.public_key_sha256 == shut_out).then(|| "its key is blocked: stolen".to_owned())
    }
}

#[tokio::test]
async fn i12_a_blocked_key_is_refused_in_the_handshake_at_both_versions() {
    let world = World::new();
    let key = Arc::new(Key::default());
    let mut server = Server::start(world.acceptor_with(key.clone())).await;
    for version in ["-tls1_1", "-tls1_2"] {
        let arguments = pinned(version, "AES128-SHA:@SECLEVEL=0");
        assert_ne!(s_client(server.address, Some(&world.henb), &arguments).await, "", "{version}");
        let peer = server.outcome().await.unwrap();
        let [leaf, root] = peer.chain.as_slice() else { panic!("{:?}", peer.chain) };
        assert_eq!(leaf, &peer.evidence.certificate);
        assert_eq!(root.subject, leaf.issuer);

        *key.shut_out.lock().unwrap() = Some(leaf.public_key_sha256.clone());
        assert_eq!(s_client(server.address, Some(&world.henb), &arguments).await, "", "{version}");
        let refusal = server.outcome().await.unwrap_err();
        assert_eq!(refusal.to_string(), "blocked: its key is blocked: stolen");
        assert_eq!(refusal.reason, Reason::Blocked);
        assert_eq!(refusal.certificate.as_deref(), Some(leaf), "the operator sees whose it was");
        *key.shut_out.lock().unwrap() = None;
    }
    let seen = key.seen.lock().unwrap();
    assert!(seen.iter().all(|chain| chain.len() == 2), "{seen:#?}");
}
