//! What a workflow says of itself, as far as the catalogue and the planner need it.

/// What a workflow says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `v1.0`, `v1.1` or `v1.2`.
    pub version: String,
    /// `Workflow`, `CommandLineTool` or `ExpressionTool`.
    pub class: String,
    /// Its label.
    pub label: Option<String>,
    /// Its inputs, in the order of the document.
    pub inputs: Vec<Parameter>,
    /// Its outputs.
    pub outputs: Vec<Parameter>,
    /// Its steps; a tool is one step of itself.
    pub steps: Vec<Step>,
    /// The most that any of its steps needs.
    pub needs: Needs,
}

/// An input or an output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type as CWL writes it in short, such as `File[]?`.
    pub kind: String,
    /// The format of its files.
    pub format: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// Where an output comes from, as `step/output` or an input's name.
    pub sources: Vec<String>,
}

/// A step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The image that it asks for.
    pub image: Option<String>,
    /// What feeds it, as `step/output` or an input's name.
    pub sources: Vec<String>,
    /// The names of its outputs.
    pub outputs: Vec<String>,
    /// Whether it runs once for each item of a list.
    pub scatters: bool,
}

/// What a step needs; nothing where it does not say, or says it in an expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Processor cores in thousandths.
    pub cpu_milli: Option<u64>,
    /// Memory.
    pub memory_mib: Option<u64>,
    /// Temporary space and results.
    pub scratch_mib: Option<u64>,
    /// GPUs.
    pub gpus: Option<u64>,
    /// CUDA, as major and minor version.
    pub cuda: Option<(u32, u32)>,
}

impl Needs {
    /// Takes the larger of both, part by part: steps are scheduled within what is granted, so none needs more.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.max(other.cpu_milli),
            memory_mib: self.memory_mib.max(other.memory_mib),
            scratch_mib: self.scratch_mib.max(other.scratch_mib),
            gpus: self.gpus.max(other.gpus),
            cuda: self.cuda.max(other.cuda),
        }
    }

    /// Takes what is said here, and from the other what is not.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.or(other.cpu_milli),
            memory_mib: self.memory_mib.or(other.memory_mib),
            scratch_mib: self.scratch_mib.or(other.scratch_mib),
            gpus: self.gpus.or(other.gpus),
            cuda: self.cuda.or(other.cuda),
        }
    }
}
