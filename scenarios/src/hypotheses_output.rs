//! The register of hypotheses, as a person and as a machine reads it.

use crate::arguments::{Format, Hypotheses as Asked};
use crate::unknown_name;
use highwater_scenarios::{Experiment, HYPOTHESES, Memory, Register, Tested};

/// The hypotheses that were asked for, tested.
pub(crate) fn text(asked: &Asked) -> Result<String, String> {
    let find = |id: &String| Experiment::find(id).ok_or_else(|| unknown(id));
    let experiments: Vec<_> = asked.ids.iter().map(find).collect::<Result<_, _>>()?;
    let register: Register = if experiments.is_empty() {
        HYPOTHESES.iter().map(Experiment::test).collect()
    } else {
        experiments.into_iter().map(Experiment::test).collect()
    };
    Ok(match asked.format {
        Format::Text => {
            let varying = register.tested().iter().filter_map(varying);
            let varying: Vec<_> = varying.collect();
            format!("{register}{}", varying.concat())
        }
        Format::Json => format!("{}\n", register.to_json()),
    })
}

/// The table leaves out what differs from run to run.
fn varying(tested: &Tested) -> Option<String> {
    let hypothesis = tested.hypothesis();
    let effect = tested.effect_bytes()?;
    (hypothesis.memory() == Memory::Resident).then(|| {
        format!(
            "{} moved resident memory by {:.1} MB more than live bytes in this run\n",
            hypothesis.id(),
            effect as f64 / 1e6
        )
    })
}

fn unknown(id: &str) -> String {
    let ids = HYPOTHESES.iter().map(|known| known.hypothesis.id());
    let ids: Vec<_> = ids.collect();
    unknown_name("hypothesis", id, &ids)
}
