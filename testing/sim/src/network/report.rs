use std::fmt;

use serde_json::{Value, json};

use super::{Bound, Figure, NetworkCase};

/// What became of calls on all the bad networks.
#[derive(Clone, Debug)]
pub struct NetworkReport {
    seeds: u64,
    cases: Vec<(NetworkCase, Vec<Figure>)>,
}

impl NetworkReport {
    /// Lets a call live on each bad network whose name has `part` in it, with so many seeds each; of
    /// each figure the worst counts.
    pub fn make(seeds: u64, part: &str) -> Self {
        let named = NetworkCase::ALL.into_iter().filter(|case| case.name().contains(part));
        let cases = named.map(|case| (case, case.worst(seeds)));
        Self { seeds, cases: cases.collect() }
    }

    /// Whether every figure is what it may be.
    pub fn holds(&self) -> bool {
        self.cases.iter().all(|(_, figures)| figures.iter().all(Figure::holds))
    }

    /// One document for programs.
    pub fn json(&self) -> Value {
        let figure = |figure: &Figure| {
            let (least, most) = match figure.bound {
                Bound::AtLeast(least) => (Some(least), None),
                Bound::AtMost(most) => (None, Some(most)),
            };
            let Figure { what, value, unit, .. } = figure;
            json!({
                "what": what, "value": value, "unit": unit,
                "least": least, "most": most, "holds": figure.holds(),
            })
        };
        let case = |(case, figures): &(NetworkCase, Vec<Figure>)| {
            let figures: Vec<Value> = figures.iter().map(figure).collect();
            json!({ "network": case.name(), "figures": figures })
        };
        let cases: Vec<Value> = self.cases.iter().map(case).collect();
        json!({ "seeds": self.seeds, "cases": cases })
    }

    /// A table for documents.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| network | figure | worst | bound |\n|---|---|---|---|\n");
        for (case, figures) in &self.cases {
            for (i, figure) in figures.iter().enumerate() {
                let name = if i == 0 { case.name() } else { "" };
                let (value, bound) = (figure.value_text(), figure.bound_text());
                text += &format!("| {name} | {} | {value} | {bound} |\n", figure.what);
            }
        }
        text
    }
}

/// For people at a terminal.
impl fmt::Display for NetworkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "worst of {} seeds", self.seeds)?;
        for (case, figures) in &self.cases {
            writeln!(f, "\n{}", case.name())?;
            for figure in figures {
                writeln!(f, "  {figure}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fails = if self.holds() { "" } else { "  FAILS" };
        let (value, bound) = (self.value_text(), self.bound_text());
        write!(f, "{:<58}{value:>10}  {bound}{fails}", self.what)
    }
}

impl Figure {
    fn value_text(&self) -> String {
        with_unit(self.value, self.unit)
    }

    fn bound_text(&self) -> String {
        match self.bound {
            Bound::AtLeast(least) => format!("≥ {}", with_unit(least, self.unit)),
            Bound::AtMost(most) => format!("≤ {}", with_unit(most, self.unit)),
        }
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "%" => format!("{value:.1} %"),
        "" => format!("{value:.0}"),
        _ => format!("{value:.0} {unit}"),
    }
}
