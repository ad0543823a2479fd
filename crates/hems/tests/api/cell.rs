//! A cell as a script: it says what a test wants, or obeys like an honest one.

use std::collections::BTreeMap;

use bytes::Bytes;
use cwmp::{
    AcsMethod, AddObjectResponse, ApplyStatus, CpeMethod, CpeResponse, DateTime, DeleteObjectResponse,
    DeviceId, Envelope, EventCode, EventStruct, Fault, FaultCode, FromAcs, FromCpe,
    GetParameterNamesResponse, GetParameterValuesResponse, GetRPCMethodsResponse, Header, Inform, Limits,
    ParameterInfoStruct, ParameterValueStruct, RebootResponse, SetParameterValuesFault,
    SetParameterValuesResponse, Value, ValueKind, Version,
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::world::{World, serial};

pub(crate) const CONTROL: &str = "Device.Services.FAPService.1.FAPControl.LTE.";
pub(crate) const PLMN_LIST: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.";
pub(crate) const TAC: &str = "Device.Services.FAPService.1.CellConfig.LTE.EPC.TAC";
pub(crate) const PCI: &str = "Device.Services.FAPService.1.CellConfig.LTE.RAN.RF.PhyCellID";

/// An answer of the H(e)MS.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The message in it.
    pub(crate) fn message(&self) -> FromAcs {
        let body = self.text.clone().into_bytes();
        Envelope::<FromAcs>::decode(body, &Limits::default()).unwrap().envelope.body
    }

    /// The cookie that it sets.
    pub(crate) fn cookie(&self) -> String {
        let value = self.headers["set-cookie"].to_str().unwrap();
        assert!(value.contains("HttpOnly") && value.contains("Secure"), "{value}");
        value.split(';').next().unwrap().to_owned()
    }
}

/// A connection of a cell.
pub(crate) struct Cell {
    sender: SendRequest<Full<Bytes>>,
    pub(crate) number: u8,
    /// Sent with every post.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Cell {
    /// Connects an admitted cell.
    pub(crate) async fn connect(world: &World, number: u8) -> Self {
        Self::over(world.connect(&world.certificate(number)).await, number).await
    }

    /// Speaks HTTP over a stream.
    pub(crate) async fn over<S>(stream: S, number: u8) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, number, headers: Vec::new() }
    }

    /// Posts bytes; an error is a connection that was closed.
    pub(crate) async fn try_post(&mut self, body: impl Into<Bytes>) -> hyper::Result<Reply> {
        self.send("POST", "/", body.into()).await
    }

    /// Sends any request.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: Bytes) -> hyper::Result<Reply> {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if !body.is_empty() && !self.headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "text/xml; charset=utf-8").header("soapaction", "");
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let response = self.sender.send_request(request.body(Full::new(body)).unwrap()).await?;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
        Ok(Reply { status: parts.status, headers: parts.headers, text })
    }

    /// Posts a message.
    pub(crate) async fn post(&mut self, id: &str, body: FromCpe) -> Reply {
        let header =
            if body == FromCpe::Empty { Header::default() } else { Header::with_id(Some(id.into())) };
        let envelope = Envelope { version: Version::V1_1, header, body };
        self.try_post(envelope.encode()).await.unwrap()
    }

    /// Posts the empty message.
    pub(crate) async fn empty(&mut self) -> Reply {
        self.post("", FromCpe::Empty).await
    }

    /// Informs with events.
    pub(crate) async fn inform(&mut self, events: &[EventCode]) -> Reply {
        let inform = inform(&serial(self.number), events);
        self.post("i", FromCpe::Call(AcsMethod::Inform(inform))).await
    }

    /// A whole session of an honest cell; gives the names of the methods that were called.
    pub(crate) async fn session(&mut self, events: &[EventCode], tree: &mut Tree) -> Vec<&'static str> {
        self.session_of(inform(&serial(self.number), events), tree).await
    }

    /// A whole session that begins with any Inform.
    pub(crate) async fn session_of(&mut self, inform: Inform, tree: &mut Tree) -> Vec<&'static str> {
        let reply = self.post("i", FromCpe::Call(AcsMethod::Inform(inform))).await;
        assert!(matches!(reply.message(), FromAcs::Response(_)), "{reply:?}");
        self.go_on(tree).await
    }

    /// The rest of a session, from the end of what the cell has to say.
    pub(crate) async fn go_on(&mut self, tree: &mut Tree) -> Vec<&'static str> {
        let mut called = Vec::new();
        let mut reply = self.empty().await;
        while let FromAcs::Call(method) = reply.message() {
            assert!(called.len() < 100, "the plan has no end: {called:?}");
            called.push(method.name());
            let id = called.len().to_string();
            let answer = match tree.execute(&method) {
                Ok(response) => FromCpe::Response(response),
                Err(fault) => FromCpe::Fault(fault),
            };
            reply = self.post(&id, answer).await;
        }
        assert_eq!((reply.status, reply.text.as_str()), (StatusCode::NO_CONTENT, ""));
        called
    }
}

/// The answer to a transfer that comes later.
fn promise(is_upload: bool) -> CpeResponse {
    let later =
        serde_json::json!({"Status": 1, "StartTime": DateTime::UNKNOWN, "CompleteTime": DateTime::UNKNOWN});
    if is_upload {
        serde_json::from_value::<cwmp::UploadResponse>(later).unwrap().into()
    } else {
        serde_json::from_value::<cwmp::DownloadResponse>(later).unwrap().into()
    }
}

/// An Inform of the lab's product class.
pub(crate) fn inform(serial: &str, events: &[EventCode]) -> Inform {
    let event = |code: &EventCode| {
        let command_key = if *code == EventCode::M_REBOOT { "again".into() } else { cwmp::Text::new() };
        EventStruct { event_code: code.clone(), command_key }
    };
    Inform {
        device_id: DeviceId {
            manufacturer: "Test".into(),
            oui: "00005E".into(),
            product_class: "SimulatedCell".into(),
            serial_number: serial.to_owned().into(),
        },
        event: events.iter().map(event).collect(),
        max_envelopes: 1,
        current_time: DateTime::UNKNOWN,
        retry_count: 0,
        parameter_list: vec![parameter("Device.DeviceInfo.SoftwareVersion", "1.2.3", ValueKind::String)],
    }
}

pub(crate) fn parameter(name: &str, text: &str, kind: ValueKind) -> ParameterValueStruct {
    ParameterValueStruct { name: name.to_owned().into(), value: Value::new(kind, text.to_owned()) }
}

/// How a cell refuses to set a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// It says which one.
    Named,
    /// It does not.
    Silent,
}

/// The parameters of an honest cell, which goes on the air at once.
pub(crate) struct Tree {
    pub(crate) values: BTreeMap<String, (String, ValueKind)>,
    next_row: u32,
    /// A method that it refuses.
    pub(crate) refuses: Option<&'static str>,
    /// Parameters that it refuses to set.
    pub(crate) bad: BTreeMap<&'static str, Refusal>,
    /// The CommandKeys of its reboots.
    pub(crate) reboots: Vec<String>,
    /// The transfers that it promised.
    pub(crate) transfers: Vec<CpeMethod>,
    /// What the factory puts into the key of each new row.
    pub(crate) factory_key: &'static str,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let mut tree = Self {
            values: BTreeMap::new(),
            next_row: 2,
            refuses: None,
            bad: BTreeMap::new(),
            reboots: Vec::new(),
            transfers: Vec::new(),
            factory_key: "",
        };
        tree.put(TAC, "1", ValueKind::UnsignedInt);
        tree.put(PCI, "0", ValueKind::String);
        tree.put("Device.FAP.GPS.LockedLatitude", "52520000", ValueKind::Int);
        tree.put("Device.FAP.GPS.LockedLongitude", "13400000", ValueKind::Int);
        for name in ["AdminState", "OpState", "RFTxStatus"] {
            tree.put(&format!("{CONTROL}{name}"), "0", ValueKind::Boolean);
        }
        tree.put(&format!("{PLMN_LIST}1.PLMNID"), "00101", ValueKind::String);
        tree.put(&format!("{PLMN_LIST}1.Enable"), "1", ValueKind::Boolean);
        tree
    }

    pub(crate) fn put(&mut self, path: &str, text: &str, kind: ValueKind) {
        self.values.insert(path.to_owned(), (text.to_owned(), kind));
    }

    /// Carries out a method as TR-069 says.
    #[expect(clippy::wildcard_enum_match_arm, reason = "this cell offers what its tests need")]
    pub(crate) fn execute(&mut self, method: &CpeMethod) -> Result<CpeResponse, Fault> {
        if self.refuses == Some(method.name()) {
            return Err(Fault::from(FaultCode::REQUEST_DENIED));
        }
        Ok(match method {
            CpeMethod::GetRPCMethods(_) => {
                let method_list = CpeMethod::NAMES.iter().map(|name| cwmp::Text::from_static(name)).collect();
                GetRPCMethodsResponse { method_list }.into()
            }
            CpeMethod::GetParameterNames(call) => self.names(&call.parameter_path).into(),
            CpeMethod::GetParameterValues(call) => self.read(&call.parameter_names)?.into(),
            CpeMethod::SetParameterValues(call) => {
                self.object(&call.parameter_list)?;
                call.parameter_list.iter().for_each(|one| self.set(&one.name, &one.value.text));
                SetParameterValuesResponse { status: ApplyStatus::Applied }.into()
            }
            CpeMethod::AddObject(call) => {
                let instance_number = self.next_row;
                self.next_row += 1;
                self.put(
                    &format!("{}{instance_number}.PLMNID", call.object_name),
                    self.factory_key,
                    ValueKind::String,
                );
                self.put(&format!("{}{instance_number}.Enable", call.object_name), "0", ValueKind::Boolean);
                AddObjectResponse { instance_number, status: ApplyStatus::Applied }.into()
            }
            CpeMethod::DeleteObject(call) => {
                self.values.retain(|path, _| !path.starts_with(&*call.object_name));
                DeleteObjectResponse { status: ApplyStatus::Applied }.into()
            }
            CpeMethod::Download(_) | CpeMethod::Upload(_) => {
                self.transfers.push(method.clone());
                promise(matches!(method, CpeMethod::Upload(_)))
            }
            CpeMethod::Reboot(call) => {
                self.reboots.push(call.command_key.to_string());
                RebootResponse {}.into()
            }
            _ => return Err(Fault::from(FaultCode::METHOD_NOT_SUPPORTED)),
        })
    }

    fn names(&self, path: &str) -> GetParameterNamesResponse {
        let mut rows: Vec<String> = self
            .values
            .keys()
            .filter_map(|name| Some(format!("{path}{}.", name.strip_prefix(path)?.split('.').next()?)))
            .collect();
        rows.dedup();
        let info = |name: String| ParameterInfoStruct { name: name.into(), writable: true };
        GetParameterNamesResponse { parameter_list: rows.into_iter().map(info).collect() }
    }

    fn read(&self, names: &[cwmp::Text]) -> Result<GetParameterValuesResponse, Fault> {
        let read = |name: &cwmp::Text| {
            let (text, kind) =
                self.values.get(&**name).ok_or_else(|| Fault::from(FaultCode::INVALID_PARAMETER_NAME))?;
            Ok(parameter(name, text, *kind))
        };
        Ok(GetParameterValuesResponse {
            parameter_list: names.iter().map(read).collect::<Result<_, Fault>>()?,
        })
    }

    /// All are set or none. (TR-069 A.3.2.1)
    fn object(&self, list: &[ParameterValueStruct]) -> Result<(), Fault> {
        let refused = list.iter().filter_map(|one| Some((&one.name, self.bad.get(&*one.name)?)));
        let mut fault = Fault::from(FaultCode::INVALID_ARGUMENTS);
        let mut is_fine = true;
        for (name, refusal) in refused {
            is_fine = false;
            if *refusal == Refusal::Named {
                fault.details.push(SetParameterValuesFault {
                    parameter_name: name.clone(),
                    fault_code: FaultCode::INVALID_PARAMETER_VALUE,
                    fault_string: "not this".into(),
                });
            }
        }
        if is_fine { Ok(()) } else { Err(fault) }
    }

    fn set(&mut self, path: &str, text: &str) {
        self.values.get_mut(path).unwrap().0 = text.to_owned();
        if path == format!("{CONTROL}AdminState") {
            for name in ["OpState", "RFTxStatus"] {
                self.values.get_mut(&format!("{CONTROL}{name}")).unwrap().0 = text.to_owned();
            }
        }
    }
}
