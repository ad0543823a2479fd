//! The cells of the benchmark: what they say is written beforehand, and what they hear is looked at only as far as
//! the session needs.

use std::net::SocketAddr;

use bytes::Bytes;
use cwmp::{
    AcsMethod, ApplyStatus, CpeMethod, DateTime, DeviceId, Envelope, EventCode, EventStruct, FromCpe,
    GetParameterValuesResponse, GetRPCMethodsResponse, Header, Inform, ParameterValueStruct,
    SetParameterValuesResponse, Value, ValueKind, Version,
};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

use super::world::{address, device, serial};

const LTE: &str = "Device.Services.FAPService.1.CellConfig.LTE.";

/// What is desired: an object below [`LTE`], a parameter, its type and its value.
const WANTED: [(&str, &str, ValueKind, &str); 47] = {
    use ValueKind::{Boolean, Int, String, UnsignedInt};
    [
        ("EPC.", "TAC", UnsignedInt, "4711"),
        ("RAN.RF.", "DLBandwidth", UnsignedInt, "50"),
        ("RAN.RF.", "ULBandwidth", UnsignedInt, "50"),
        ("RAN.RF.", "EARFCNDL", UnsignedInt, "3000"),
        ("RAN.RF.", "EARFCNUL", UnsignedInt, "21000"),
        ("RAN.RF.", "FreqBandIndicator", UnsignedInt, "7"),
        ("RAN.RF.", "PhyCellID", String, "17"),
        ("RAN.RF.", "ReferenceSignalPower", String, "-10"),
        ("RAN.RF.", "PBCHPowerOffset", String, "0"),
        ("RAN.RF.", "PSCHPowerOffset", String, "0"),
        ("RAN.RF.", "SSCHPowerOffset", String, "0"),
        ("RAN.MAC.RACH.", "ContentionResolutionTimer", UnsignedInt, "24"),
        ("RAN.MAC.RACH.", "MaxHARQMsg3Tx", String, "4"),
        ("RAN.MAC.RACH.", "MessagePowerOffsetGroupB", Int, "5"),
        ("RAN.MAC.RACH.", "MessageSizeGroupA", UnsignedInt, "56"),
        ("RAN.MAC.RACH.", "NumberOfRaPreambles", UnsignedInt, "8"),
        ("RAN.MAC.RACH.", "PowerRampingStep", UnsignedInt, "2"),
        ("RAN.MAC.RACH.", "PreambleInitialReceivedTargetPower", Int, "-104"),
        ("RAN.MAC.RACH.", "PreambleTransMax", String, "10"),
        ("RAN.MAC.RACH.", "ResponseWindowSize", String, "10"),
        ("RAN.MAC.RACH.", "SizeOfRaGroupA", UnsignedInt, "4"),
        ("RAN.Mobility.IdleMode.Common.", "NCellChangeHigh", UnsignedInt, "8"),
        ("RAN.Mobility.IdleMode.Common.", "NCellChangeMedium", UnsignedInt, "4"),
        ("RAN.Mobility.IdleMode.Common.", "QHystSFHigh", Int, "-4"),
        ("RAN.Mobility.IdleMode.Common.", "QHystSFMedium", Int, "-2"),
        ("RAN.Mobility.IdleMode.Common.", "Qhyst", String, "4"),
        ("RAN.Mobility.IdleMode.Common.", "TEvaluation", UnsignedInt, "60"),
        ("RAN.Mobility.IdleMode.Common.", "THystNormal", UnsignedInt, "60"),
        ("RAN.PHY.PRACH.", "ConfigurationIndex", String, "3"),
        ("RAN.PHY.PRACH.", "FreqOffset", String, "4"),
        ("RAN.PHY.PRACH.", "HighSpeedFlag", Boolean, "false"),
        ("RAN.PHY.PRACH.", "RootSequenceIndex", String, "22"),
        ("RAN.PHY.PRACH.", "ZeroCorrelationZoneConfig", String, "12"),
        ("RAN.PHY.PUCCH.", "CQIPUCCHResourceIndex", String, "0"),
        ("RAN.PHY.PUCCH.", "DeltaPUCCHShift", String, "ds1"),
        ("RAN.PHY.PUCCH.", "N1PUCCHAN", String, "36"),
        ("RAN.PHY.PUCCH.", "NRBCQI", String, "2"),
        ("RAN.PHY.PUSCH.", "HoppingMode", String, "InterSubFrame"),
        ("RAN.PHY.PUSCH.", "HoppingOffset", String, "2"),
        ("RAN.PHY.PUSCH.", "NSB", UnsignedInt, "1"),
        ("RAN.PHY.SRS.", "AckNackSRSSimultaneousTransmission", Boolean, "true"),
        ("RAN.PHY.SRS.", "SRSBandwidthConfig", String, "2"),
        ("RAN.PHY.SRS.", "SRSEnabled", Boolean, "true"),
        ("RAN.PHY.SRS.", "SRSMaxUpPTS", Boolean, "false"),
        ("RAN.PHY.ULPowerControl.", "Alpha", String, "70"),
        ("RAN.PHY.ULPowerControl.", "P0NominalPUCCH", String, "-96"),
        ("RAN.PHY.ULPowerControl.", "P0NominalPUSCH", String, "-80"),
    ]
};
/// Those that the cell has otherwise, by their place in [`WANTED`].
const OTHER: [(usize, &str); 10] = [
    (0, "1"),
    (3, "2850"),
    (4, "20850"),
    (6, "0"),
    (11, "32"),
    (15, "16"),
    (22, "2"),
    (27, "30"),
    (31, "100"),
    (46, "-90"),
];
/// What the plan reads beside what is desired.
const STATES: [&str; 3] = ["AdminState", "OpState", "RFTxStatus"];

/// The template for all cells, as JSON.
pub(super) fn template() -> String {
    let values =
        WANTED.iter().map(|(object, name, _, text)| (format!("{LTE}{object}{name}"), (*text).into()));
    serde_json::json!({ "values": values.collect::<serde_json::Map<_, _>>() }).to_string()
}

/// One exchange as the cell saw it.
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A cell on a kept connection.
pub(super) struct Cell {
    sender: SendRequest<Full<Bytes>>,
    inform: Bytes,
    values: Bytes,
    set: Bytes,
}

impl Cell {
    /// Connects a cell from its inner address.
    pub(super) async fn connect(to: SocketAddr, cell: u32, devices: u32) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address(cell), 0).into()).unwrap();
        let tcp = socket.connect(to).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            inform: said(0, FromCpe::Call(AcsMethod::Inform(inform(&serial(device(cell, devices)))))),
            values: said(1, FromCpe::Response(values().into())),
            set: said(2, FromCpe::Response(set().into())),
        }
    }

    /// The session of a new cell, which is asked for its methods too.
    pub(super) async fn first_session(mut self) {
        self.post(self.inform.clone(), "InformResponse").await;
        self.post(Bytes::new(), "GetRPCMethods").await;
        let method_list = CpeMethod::NAMES.iter().map(|name| cwmp::Text::from_static(name)).collect();
        let methods = FromCpe::Response(GetRPCMethodsResponse { method_list }.into());
        self.post(said(1, methods), "GetParameterValues").await;
        self.post(said(2, FromCpe::Response(values().into())), "SetParameterValues").await;
        self.post(said(3, FromCpe::Response(set().into())), "").await;
    }

    /// The session that is measured: four exchanges.
    pub(super) async fn session(&mut self) -> [Reply; 4] {
        [
            self.post(self.inform.clone(), "InformResponse").await,
            self.post(Bytes::new(), "GetParameterValues").await,
            self.post(self.values.clone(), "SetParameterValues").await,
            self.post(self.set.clone(), "").await,
        ]
    }

    async fn post(&mut self, body: Bytes, expected: &str) -> Reply {
        let request = Request::builder().method("POST").uri("/").header("host", "localhost");
        let request = if body.is_empty() {
            request
        } else {
            request.header("content-type", "text/xml; charset=utf-8").header("soapaction", "")
        };
        let answer = self.sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body);
        assert_eq!(text.is_empty(), expected.is_empty(), "{parts:?} {text}");
        assert!(
            text.contains(&format!(":{expected}")) || expected.is_empty(),
            "{expected}: {parts:?} {text}"
        );
        Reply { headers: parts.headers, body }
    }
}

/// A message as the cell sends it; a response has the number of its call.
fn said(number: u32, body: FromCpe) -> Bytes {
    let header = Header::with_id(Some(number.to_string().into()));
    Envelope { version: Version::V1_1, header, body }.encode().into()
}

fn parameter(name: &str, text: &str, kind: ValueKind) -> ParameterValueStruct {
    ParameterValueStruct { name: name.to_owned().into(), value: Value::new(kind, text.to_owned()) }
}

/// A periodic Inform with what every cell must tell: the profile InformParameters:1 of TR-181, and its interval.
fn inform(serial: &str) -> Inform {
    let parameters = [
        ("Device.DeviceInfo.HardwareVersion", "B2", ValueKind::String),
        ("Device.DeviceInfo.SoftwareVersion", "1.2.3", ValueKind::String),
        ("Device.DeviceInfo.ProvisioningCode", "", ValueKind::String),
        ("Device.DeviceInfo.ManufacturerOUI", "00005E", ValueKind::String),
        ("Device.ManagementServer.ParameterKey", "", ValueKind::String),
        ("Device.ManagementServer.PeriodicInformEnable", "1", ValueKind::Boolean),
        ("Device.ManagementServer.PeriodicInformInterval", "3600", ValueKind::UnsignedInt),
    ];
    Inform {
        device_id: DeviceId {
            manufacturer: "Test".into(),
            oui: "00005E".into(),
            product_class: "SimulatedCell".into(),
            serial_number: serial.to_owned().into(),
        },
        event: vec![EventStruct { event_code: EventCode::PERIODIC, command_key: cwmp::Text::new() }],
        max_envelopes: 1,
        current_time: DateTime::UNKNOWN,
        retry_count: 0,
        parameter_list: parameters.map(|(name, text, kind)| parameter(name, text, kind)).into(),
    }
}

fn set() -> SetParameterValuesResponse {
    SetParameterValuesResponse { status: ApplyStatus::Applied }
}

/// What the cell has when it is asked.
fn values() -> GetParameterValuesResponse {
    let mut texts = WANTED.map(|(.., text)| text);
    OTHER.iter().for_each(|(place, text)| texts[*place] = text);
    let wanted = WANTED.iter().zip(texts);
    let wanted =
        wanted.map(|((object, name, kind, _), text)| parameter(&format!("{LTE}{object}{name}"), text, *kind));
    let control = "Device.Services.FAPService.1.FAPControl.LTE.";
    let states = STATES.iter().map(|name| parameter(&format!("{control}{name}"), "0", ValueKind::Boolean));
    GetParameterValuesResponse { parameter_list: wanted.chain(states).collect() }
}
