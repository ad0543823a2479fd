//! What an operator may do about a refusal, ready to be run. (decision 21)
//!
//! Only a peer whose chain verified is offered anything: the reasons below come after the handshake's checks, so the
//! certificate's name is an identity of a realm that its anchor may speak for. An unknown CA is never added from here.

use profile::{CertificateFacts, Identity, Reason};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Api, Problem};
use crate::store::{Binding, DeviceRow};

/// Where the reasons are explained, a section per code.
const HELP: &str = "docs/operate/refusals.md";

/// One act: as a command, and as a request of this API.
#[derive(Serialize, JsonSchema)]
pub(super) struct Offer {
    act: &'static str,
    command: String,
    method: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<serde_json::Value>,
}

/// The section that explains a reason.
pub(super) fn help(code: &str) -> String {
    format!("{HELP}#{code}")
}

/// The act that helps against a refusal for `reason` of the holder of a certificate, where there is one.
pub(super) async fn offer(
    api: &Api,
    reason: Reason,
    certificate: Option<&CertificateFacts>,
) -> Result<Option<Offer>, Problem> {
    let identities = certificate.into_iter().flat_map(|facts| &facts.dns_names);
    let Some(identity) = identities.filter_map(|name| Identity::parse(name).ok()).next() else {
        return Ok(None);
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most reasons have no act that this API could carry out"
    )]
    match reason {
        Reason::UnknownIdentity => {
            let row = api.hems.store.device(identity.as_str()).await?;
            Ok(row.and_then(|row| admit(&identity, &row)))
        }
        Reason::DeviceIdClaimedTwice => Ok(Some(withdraw(&identity))),
        Reason::DeviceIdMismatch | Reason::CloneSuspected => {
            let is_open = api.hems.blocks.blocked(&identity, &[]).is_none();
            Ok(is_open.then(|| block(&identity)))
        }
        _ => Ok(None),
    }
}

/// A quarantined cell is admitted as what it says it is; whether that is true is for the operator to know.
fn admit(identity: &Identity, row: &DeviceRow) -> Option<Offer> {
    let claimed: Binding = serde_json::from_str(row.claimed.as_deref()?).ok()?;
    let checked =
        crate::admission::check(identity.as_str(), &claimed.oui, &claimed.product_class, &claimed.serial);
    let (_, claimed) = checked.ok().filter(|_| row.bound_to().is_none() && !row.is_disputed)?;
    let Binding { oui, product_class, serial } = &claimed;
    let [class, number] = [product_class, serial].map(|text| quoted(text));
    Some(Offer {
        act: "admit",
        command: format!(
            "hearth device admit {identity} --oui {oui} --product-class={class} --serial={number}"
        ),
        method: "POST",
        path: "/api/v1/devices".to_owned(),
        body: Some(serde_json::json!({
            "identity": identity.as_str(), "oui": oui, "product_class": product_class, "serial": serial,
        })),
    })
}

fn withdraw(identity: &Identity) -> Offer {
    Offer {
        act: "withdraw",
        command: format!("hearth device withdraw {identity}"),
        method: "DELETE",
        path: format!("/api/v1/devices/{identity}/admission"),
        body: None,
    }
}

fn block(identity: &Identity) -> Offer {
    Offer {
        act: "block",
        command: format!("hearth block add identity {identity} --reason 'under investigation'"),
        method: "POST",
        path: "/api/v1/blocks".to_owned(),
        body: Some(serde_json::json!({
            "kind": "identity", "value": identity.as_str(), "reason": "under investigation",
        })),
    }
}

/// Hostile text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_one_word() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("'; reboot; '"), r"''\''; reboot; '\'''");
    }
}
