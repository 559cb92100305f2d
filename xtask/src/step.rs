//! A list of steps that all run, each timed, with a table at the end.

use std::time::{Duration, Instant};

/// Steps done so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: String,
    took: Duration,
    /// What the step has to say at the end: a count, or why it failed.
    note: String,
    failed: bool,
}

impl Steps {
    /// Runs one step. A failure is printed and kept; the next step runs all the same.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> anyhow::Result<String>) {
        println!("\n==> {name}");
        let start = Instant::now();
        let (note, failed) = match step() {
            Ok(note) => (note, false),
            Err(error) => {
                println!("{name}: {error:#}");
                (format!("{error:#}"), true)
            }
        };
        self.done.push(Step { name: name.to_owned(), took: start.elapsed(), note, failed });
    }

    /// The names of the steps that failed.
    pub(crate) fn failed(&self) -> Vec<&str> {
        self.done.iter().filter(|step| step.failed).map(|step| step.name.as_str()).collect()
    }

    /// Prints the time and the outcome of each step.
    pub(crate) fn print_table(&self) {
        println!("\n{}", self.table());
    }

    fn table(&self) -> String {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or(0).max(5);
        let mut lines: Vec<String> = self
            .done
            .iter()
            .map(|step| {
                let outcome = if step.failed { "FAILED" } else { "ok" };
                let note = step.note.lines().next().unwrap_or_default();
                let (name, took) = (&step.name, seconds(step.took));
                format!("{name:width$}  {took:>8}  {outcome:6}  {note}").trim_end().to_owned()
            })
            .collect();
        let total = seconds(self.done.iter().map(|step| step.took).sum());
        lines.push(format!("{:width$}  {total:>8}", "total"));
        lines.join("\n")
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::Steps;

    #[test]
    fn a_failed_step_does_not_keep_the_next_from_running() {
        let mut steps = Steps::default();
        steps.run("first", || bail!("broken\nin two lines"));
        steps.run("second", || Ok("3 files".to_owned()));
        assert_eq!(steps.failed(), ["first"]);
        let table = steps.table();
        assert!(table.contains("FAILED  broken\n"), "{table}");
        assert!(table.contains("ok      3 files"), "{table}");
    }
}
