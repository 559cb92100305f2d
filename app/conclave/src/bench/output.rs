//! How measurements are reported: one document for programs, or tables for people.

use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;

use crate::serve::say;

/// The form of a report.
#[derive(Debug, clap::Args)]
pub(super) struct Form {
    /// Report in JSON: one document on standard output.
    #[arg(long)]
    json: bool,
    /// Report as the tables of the documentation.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// What is reported.
pub(super) trait Report: Serialize {
    /// All of it as tables, and what has to be said about them.
    fn tables(&self, render: Render) -> String;

    /// For a terminal.
    fn text(&self) -> String {
        self.tables(render_text)
    }
}

/// Makes a table of rows; the first one is its head.
pub(super) type Render = fn(&[Vec<String>]) -> String;

/// One column: its head, and what it says of a thing.
pub(super) type Column<T> = (&'static str, fn(&T) -> String);

impl Form {
    /// Writes a report on standard output.
    pub(super) fn say(&self, report: &impl Report) -> anyhow::Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(report)?
        } else if self.markdown {
            report.tables(render_markdown)
        } else {
            report.text()
        };
        say(text.trim_end())
    }
}

/// Says on standard error what is being measured: it takes a while.
pub(super) fn progress(what: &str) {
    // If standard error is gone, the report still comes.
    let _ = writeln!(std::io::stderr(), "measuring {what}");
}

/// The rows of a table of these things, and its head.
pub(super) fn rows<T>(columns: &[Column<T>], things: &[T]) -> Vec<Vec<String>> {
    let head = columns.iter().map(|(head, _)| (*head).to_owned()).collect();
    let row = |thing| columns.iter().map(|(_, cell)| cell(thing)).collect();
    [head].into_iter().chain(things.iter().map(row)).collect()
}

/// Three digits, or as many as it takes.
pub(super) fn number(value: f64) -> String {
    match value {
        10.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A number, or that there is none.
pub(super) fn known(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}

/// A share of one, in percent.
pub(super) fn percent(share: f64, digits: usize) -> String {
    format!("{:.digits$} %", share * 100.0)
}

/// A table for a terminal; the first row is its head.
pub(super) fn render_text(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "{cell:>width$}  ");
        }
        text.push('\n');
    }
    text
}

/// A table in Markdown; the first row is its head.
fn render_markdown(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if index == 0 {
            let _ = writeln!(text, "|{}", "---|".repeat(row.len()));
        }
    }
    text
}
