use std::fmt;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// The process's metrics, as Prometheus reads them.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

/// Bounds of a duration's buckets, in seconds: a signalling answer takes a millisecond, a slow
/// disk a second.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

impl Metrics {
    /// Records metrics from here on, for the whole process. `version` is the build's.
    ///
    /// # Errors
    ///
    /// [`MetricsError`] if the process records them elsewhere.
    pub fn install(version: &'static str) -> Result<Self, MetricsError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(MetricsError)?;
        metrics::gauge!("conclave_build_info", "version" => version).set(1.0);
        Ok(Self { handle })
    }

    /// The metrics in Prometheus's text form.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what was recorded into its buckets; call it every few seconds, so that memory stays
    /// bounded when nobody asks for the metrics.
    pub fn keep_up(&self) {
        self.handle.run_upkeep();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}

/// Metrics cannot be recorded.
#[derive(Debug, thiserror::Error)]
#[error("cannot record metrics")]
pub struct MetricsError(#[source] BuildError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_rendered_with_buckets() {
        let metrics = Metrics::install("1.2.3").unwrap();

        metrics::counter!("conclave_things_total").increment(2);
        metrics::histogram!("conclave_work_seconds").record(0.003);
        metrics.keep_up();

        let text = metrics.render();
        assert!(text.contains("conclave_things_total 2"), "{text}");
        assert!(text.contains(r#"conclave_work_seconds_bucket{le="0.005"} 1"#), "{text}");
        assert!(text.contains(r#"conclave_build_info{version="1.2.3"} 1"#), "{text}");
    }
}
