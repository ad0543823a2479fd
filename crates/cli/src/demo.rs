//! `hearth demo`: from an empty folder to cells in service, over mutual TLS, on this machine alone.
//!
//! ```text
//!  lab PKI ─▶ hearth serve ─▶ template and pool ─▶ henbd × N ─▶ table from the API ─▶ serves until Ctrl-C
//! ```
//!
//! One rule: the demo is only a user. It starts the product's own processes with files that a person
//! could have written, and reads what the API says.

mod children;
mod lab;

use std::{
    cell::Cell,
    io::IsTerminal,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use crate::{
    Answer,
    api::{Access, ApiError},
    commands::device::COLUMNS,
    output::{self, Form},
};
use children::Children;
use lab::Lab;

/// How long cells may take to come into service.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a H(e)MS may take to answer after its start.
const START: Duration = Duration::from_secs(30);
/// How often the API is asked.
const PACE: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// End after the table: exit code 0 when all cells are in service, 1 when not within two minutes.
    #[arg(long)]
    once: bool,
    /// How many cells.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=200))]
    cells: u8,
    /// How to print the result.
    #[arg(long, value_enum, default_value = "table")]
    output: Form,
    /// Where everything lives; emptied first.
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    dir: PathBuf,
    /// Go on with what an earlier demo left in the folder.
    #[arg(long)]
    keep: bool,
    /// Keep every message of both ends below this folder.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> Answer {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Children::check_programs()?;
    let lab = Lab::make(&arguments.dir, arguments.cells, arguments.keep)?;
    let (mut children, has_shown) = (Children::default(), Cell::new(false));
    // Told to end before the table was there: what was asked has not happened.
    let answer = tokio::select! {
        answer = play(&arguments, &lab, &mut children, &has_shown) => answer,
        _ = interrupt.recv() => Ok(has_shown.get()),
        _ = terminate.recv() => Ok(has_shown.get()),
        _ = hangup.recv() => Ok(has_shown.get()),
    };
    children.stop().await;
    answer
}

async fn play(arguments: &Arguments, lab: &Lab, children: &mut Children, has_shown: &Cell<bool>) -> Answer {
    let (began, since) = (Instant::now(), Timestamp::now());
    let access = lab.access();
    eprintln!("hearth: the H(e)MS starts at {}{}", lab.cwmp_url(), lab.why_this_port());
    children.serve(lab, arguments.record.as_deref())?;
    wait_for_api(&access, children).await?;
    lab.configure(&access).await?;
    eprintln!("hearth: {} cells start", arguments.cells);
    for cell in lab.cells() {
        children.henbd(lab, cell, arguments.record.as_deref())?;
    }
    let seen = |device: &Value| lab.is_cell(device) && has_called(device, since);
    let devices = watch(&access, children, seen, usize::from(arguments.cells)).await?;
    let in_service = count_in_service(&devices);
    print(arguments.output, lab, &devices, began.elapsed());
    has_shown.set(true);
    if !arguments.once {
        eprint!("{}", lab.how_to_look_around());
        children.wait_for_an_end().await?;
    }
    Ok(in_service == usize::from(arguments.cells))
}

/// The H(e)MS answers, or has ended and said why.
async fn wait_for_api(access: &Access, children: &mut Children) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    loop {
        match access.get("/api/v1/version").await {
            Ok(_) => return Ok(()),
            Err(error @ (ApiError::Token { .. } | ApiError::Connect { .. })) if began.elapsed() > START => {
                return Err(error.into());
            }
            Err(ApiError::Token { .. } | ApiError::Connect { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        children.all_alive()?;
        sleep(PACE).await;
    }
}

/// Whether the device has called since the demo began: what an earlier demo left is no result of this one.
fn has_called(device: &Value, since: Timestamp) -> bool {
    let last_inform = device.get("last_inform").and_then(Value::as_str);
    last_inform.and_then(|at| at.parse::<Timestamp>().ok()).is_some_and(|at| at >= since)
}

/// The devices once all are in service, or as they are when patience ends.
async fn watch(
    access: &Access,
    children: &mut Children,
    is_seen: impl Fn(&Value) -> bool,
    cells: usize,
) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let (began, is_terminal) = (Instant::now(), std::io::stderr().is_terminal());
    let mut shown = None;
    loop {
        let mut devices = access.list("/api/v1/devices").await?;
        devices.retain(&is_seen);
        let in_service = count_in_service(&devices);
        if shown != Some((devices.len(), in_service)) || is_terminal {
            let line = format!(
                "hearth: {:4.1} s  {} of {cells} cells seen, {in_service} in service",
                began.elapsed().as_secs_f64(),
                devices.len()
            );
            if is_terminal {
                eprint!("\r{line}");
            } else {
                eprintln!("{line}");
            }
            shown = Some((devices.len(), in_service));
        }
        if in_service == cells || began.elapsed() > PATIENCE {
            if is_terminal {
                eprintln!();
            }
            return Ok(devices);
        }
        children.all_alive()?;
        sleep(PACE).await;
    }
}

fn count_in_service(devices: &[Value]) -> usize {
    devices.iter().filter(|device| device.get("in_service") == Some(&Value::Bool(true))).count()
}

fn print(form: Form, lab: &Lab, devices: &[Value], took: Duration) {
    let in_service = count_in_service(devices);
    match form {
        Form::Table => print!("{}", output::table(&COLUMNS, devices)),
        Form::Json => {
            let document = json!({
                "in_service": in_service,
                "seconds": (took.as_secs_f64() * 1000.0).round() / 1000.0,
                "cells": devices,
                "hems": lab.hems_as_json(),
                "pki": lab.pki_as_json(),
            });
            println!("{document}");
        }
    }
    eprintln!("hearth: {in_service} cells in service after {:.1} s", took.as_secs_f64());
}
