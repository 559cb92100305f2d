//! Writes the TypeScript types of the protocol into the folder given as its argument.

use std::error::Error;

use conclave_wire::{
    ClientMessage, CreateMeeting, GroupCommand, GroupEvent, GroupView, LIMITS, MeetingInfo,
    NodeFault, PROTOCOL_VERSION, ServerInfo, ServerMessage,
};
use ts_rs::{Config, TS};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: typescript FOLDER")?;
    let config = Config::new().with_out_dir(&folder);
    ClientMessage::export_all(&config)?;
    ServerMessage::export_all(&config)?;
    CreateMeeting::export_all(&config)?;
    MeetingInfo::export_all(&config)?;
    ServerInfo::export_all(&config)?;
    GroupCommand::export_all(&config)?;
    GroupEvent::export_all(&config)?;
    GroupView::export_all(&config)?;
    NodeFault::export_all(&config)?;

    let mut names: Vec<String> = std::fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".ts").map(str::to_owned))
        .filter(|name| name != "index")
        .collect();
    names.sort();
    let mut index =
        String::from("// Generated from crates/core/wire by `cargo xtask wire`. Do not edit.\n");
    for name in names {
        index.push_str(&format!("export type {{ {name} }} from \"./{name}\";\n"));
    }
    index.push_str(&format!("export const PROTOCOL_VERSION = {PROTOCOL_VERSION};\n"));
    index.push_str(&format!("export const MAX_FRAME_BYTES = {};\n", LIMITS.frame_bytes));
    index.push_str(&format!("export const MAX_WANTS = {};\n", LIMITS.wants));
    std::fs::write(format!("{folder}/index.ts"), index)?;
    Ok(())
}
