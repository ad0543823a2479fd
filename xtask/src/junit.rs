//! What nextest wrote about its run: which tests there were, how long each took, how each ended.
//!
//! JUnit's XML is read by attribute, line by line: nextest writes one element a line, and nothing else writes
//! this file.

/// A test that ran.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) seconds: f64,
    pub(crate) failed: bool,
}

/// Reads the test cases of a report.
pub(crate) fn cases(report: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in report.lines().map(str::trim_start) {
        if line.starts_with("<testcase ") {
            let name = attribute(line, "name").unwrap_or_default();
            let binary = attribute(line, "classname").unwrap_or_default();
            let seconds = attribute(line, "time").and_then(|time| time.parse().ok()).unwrap_or_default();
            cases.push(Case { name: format!("{binary} {name}"), seconds, failed: false });
        } else if (line.starts_with("<failure") || line.starts_with("<error"))
            && let Some(case) = cases.last_mut()
        {
            case.failed = true;
        }
    }
    cases
}

/// The `count` cases that took longest, longest first.
pub(crate) fn slowest(mut cases: Vec<Case>, count: usize) -> Vec<Case> {
    cases.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    cases.truncate(count);
    cases
}

fn attribute(element: &str, name: &str) -> Option<String> {
    let (_, value) = element.split_once(&format!(" {name}=\""))?;
    let (value, _) = value.split_once('"')?;
    Some(value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="2" failures="1" errors="0" time="0.2">
    <testsuite name="xtask::bin/xtask" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="a::b" classname="xtask::bin/xtask" timestamp="2026-01-01T00:00:00Z" time="0.009">
        </testcase>
        <testcase name="c" classname="xtask::bin/xtask" timestamp="2026-01-01T00:00:00Z" time="1.5">
            <failure message="x &lt; y" type="test failure with exit code 101">panicked</failure>
        </testcase>
    </testsuite>
</testsuites>"#;

    #[test]
    fn a_report_gives_names_times_and_failures() {
        let cases = cases(REPORT);
        let good = Case { name: "xtask::bin/xtask a::b".into(), seconds: 0.009, failed: false };
        let bad = Case { name: "xtask::bin/xtask c".into(), seconds: 1.5, failed: true };
        assert_eq!(cases, [good, bad]);
    }

    #[test]
    fn the_slowest_come_first() {
        let names: Vec<String> = slowest(cases(REPORT), 1).into_iter().map(|case| case.name).collect();
        assert_eq!(names, ["xtask::bin/xtask c"]);
    }
}
