//! The Dependency Descriptor header extension.
//!
//! Source: AV1 RTP payload specification v1.0.0, appendix A.

mod bits;

use crate::layer::PixelSize;

use bits::Bits;

/// What the Dependency Descriptor of one packet says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DescriptorIn {
    /// The packet is the first of its frame.
    pub start_of_frame: bool,
    /// The packet is the last of its frame.
    pub end_of_frame: bool,
    /// Which template describes the frame; 6 bits.
    pub template_id: u8,
    /// Counts frames.
    pub frame_number: u16,
    /// The structure that this packet brings. It comes with key frames and replaces the one
    /// before.
    pub structure: Option<TemplateStructure>,
    /// The frame's spatial layer; `None` without a structure to look it up in.
    pub spatial_id: Option<u8>,
    /// The frame's temporal layer; `None` without a structure to look it up in.
    pub temporal_id: Option<u8>,
    /// The decode targets that are sent from here on, one bit each, if the packet tells.
    pub active_decode_targets: Option<u32>,
}

impl DescriptorIn {
    /// Parses the bytes of the extension. `structure` is the one that came last on the same
    /// stream; without it, the fields that need one are `None`.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] names what is wrong. The packet may still be of use to a decoder that
    /// knows more.
    pub fn parse(
        bytes: &[u8],
        structure: Option<&TemplateStructure>,
    ) -> Result<Self, DescriptorError> {
        let mut bits = Bits::new(bytes);
        let mut descriptor = Self {
            start_of_frame: bits.flag()?,
            end_of_frame: bits.flag()?,
            template_id: bits.u8(6)?,
            frame_number: bits.u16(16)?,
            structure: None,
            spatial_id: None,
            temporal_id: None,
            active_decode_targets: None,
        };
        if bytes.len() > MANDATORY_BYTES {
            descriptor.parse_extended(&mut bits, structure)?;
        }

        if let Some(structure) = descriptor.structure.as_ref().or(structure) {
            let template = structure
                .template(descriptor.template_id)
                .ok_or(DescriptorError::UnknownTemplate { id: descriptor.template_id })?;
            (descriptor.spatial_id, descriptor.temporal_id) =
                (Some(template.spatial_id), Some(template.temporal_id));
        }
        Ok(descriptor)
    }

    /// The packet is the first of a key frame.
    pub const fn starts_keyframe(&self) -> bool {
        self.start_of_frame && self.structure.is_some()
    }

    fn parse_extended(
        &mut self,
        bits: &mut Bits<'_>,
        known: Option<&TemplateStructure>,
    ) -> Result<(), DescriptorError> {
        let structure_present = bits.flag()?;
        let active_targets_present = bits.flag()?;
        // What the frame's own indications, differences and chains say is for decoders.
        let _custom_dtis = bits.flag()?;
        let _custom_fdiffs = bits.flag()?;
        let _custom_chains = bits.flag()?;

        if structure_present {
            let structure = TemplateStructure::parse(bits)?;
            self.active_decode_targets = Some(structure.all_decode_targets());
            self.structure = Some(structure);
        }
        if active_targets_present && let Some(structure) = self.structure.as_ref().or(known) {
            self.active_decode_targets = Some(bits.u32(structure.decode_targets.into())?);
        }
        Ok(())
    }
}

/// The fields that each descriptor has.
const MANDATORY_BYTES: usize = 3;

/// Puts another frame number into the bytes of a Dependency Descriptor. Bytes too short to have
/// one stay as they are.
pub fn set_frame_number(bytes: &mut [u8], frame_number: u16) {
    if let Some(field) = bytes.get_mut(1..MANDATORY_BYTES) {
        field.copy_from_slice(&frame_number.to_be_bytes());
    }
}

/// How the frames of a stream depend on each other: the templates that its descriptors refer to.
///
/// It comes with a key frame and holds until the next one that brings another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TemplateStructure {
    id_offset: u8,
    decode_targets: u8,
    templates: Vec<Template>,
    protected_by: Vec<u8>,
    resolutions: Vec<PixelSize>,
}

/// What the frames that refer to it have in common.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    /// Spatial layer.
    pub spatial_id: u8,
    /// Temporal layer.
    pub temporal_id: u8,
    /// For each decode target, what the frame is to it: 0 not present, 1 discardable, 2 switch,
    /// 3 required.
    pub indications: Vec<u8>,
    /// The frames it depends on, as differences of frame numbers.
    pub frame_diffs: Vec<u8>,
    /// For each chain, the difference to the frame before it in that chain.
    pub chain_diffs: Vec<u8>,
}

impl TemplateStructure {
    /// The template that the frames with this template id follow.
    pub fn template(&self, template_id: u8) -> Option<&Template> {
        let i = (template_id % ID_RANGE + ID_RANGE - self.id_offset) % ID_RANGE;
        self.templates.get(usize::from(i))
    }

    /// The templates, lowest spatial layer first.
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// How many decode targets the stream has; at most 32.
    pub const fn decode_targets(&self) -> u8 {
        self.decode_targets
    }

    /// For each decode target, the chain that protects it. Empty if there is no chain.
    pub fn protected_by(&self) -> &[u8] {
        &self.protected_by
    }

    /// The size of the pictures of a spatial layer, if the publisher has told.
    pub fn resolution(&self, spatial_id: u8) -> Option<PixelSize> {
        self.resolutions.get(usize::from(spatial_id)).copied()
    }

    /// The sizes of all spatial layers, lowest first. Empty if the publisher has not told.
    pub fn resolutions(&self) -> &[PixelSize] {
        &self.resolutions
    }

    fn all_decode_targets(&self) -> u32 {
        u32::MAX >> (32 - u32::from(self.decode_targets.clamp(1, 32)))
    }

    fn parse(bits: &mut Bits<'_>) -> Result<Self, DescriptorError> {
        let id_offset = bits.u8(6)?;
        let decode_targets = bits.u8(5)? + 1;
        let mut templates = parse_layers(bits)?;
        for template in &mut templates {
            for _ in 0..decode_targets {
                template.indications.push(bits.u8(2)?);
            }
        }
        for template in &mut templates {
            while bits.flag()? {
                template.frame_diffs.push(bits.u8(4)? + 1);
            }
        }

        let chains = bits.non_symmetric(u32::from(decode_targets) + 1)?;
        let mut protected_by = Vec::new();
        if chains > 0 {
            for _ in 0..decode_targets {
                protected_by.push(u8::try_from(bits.non_symmetric(chains)?).unwrap_or(u8::MAX));
            }
            for template in &mut templates {
                for _ in 0..chains {
                    template.chain_diffs.push(bits.u8(4)?);
                }
            }
        }

        let mut resolutions = Vec::new();
        if bits.flag()? {
            let spatial_layers = templates.last().map_or(0, |template| template.spatial_id + 1);
            for _ in 0..spatial_layers {
                // The fields hold one less; 65536 pixels are out of reach of a u16 and of screens.
                let width = bits.u16(16)?.saturating_add(1);
                let height = bits.u16(16)?.saturating_add(1);
                resolutions.push(PixelSize { width, height });
            }
        }
        Ok(Self { id_offset, decode_targets, templates, protected_by, resolutions })
    }
}

fn parse_layers(bits: &mut Bits<'_>) -> Result<Vec<Template>, DescriptorError> {
    let (mut spatial_id, mut temporal_id) = (0u8, 0u8);
    let mut templates = Vec::new();
    loop {
        templates.push(Template {
            spatial_id,
            temporal_id,
            indications: Vec::new(),
            frame_diffs: Vec::new(),
            chain_diffs: Vec::new(),
        });
        match bits.u8(2)? {
            SAME_LAYER => {}
            NEXT_TEMPORAL_LAYER => temporal_id += 1,
            NEXT_SPATIAL_LAYER => {
                temporal_id = 0;
                spatial_id += 1;
            }
            _no_more => return Ok(templates),
        }
        if templates.len() >= usize::from(ID_RANGE) {
            return Err(DescriptorError::TooManyTemplates);
        }
        if temporal_id >= MAX_TEMPORAL_LAYERS || spatial_id >= MAX_SPATIAL_LAYERS {
            return Err(DescriptorError::TooManyLayers);
        }
    }
}

/// Values of `next_layer_idc`; the fourth ends the list.
const SAME_LAYER: u8 = 0;
const NEXT_TEMPORAL_LAYER: u8 = 1;
const NEXT_SPATIAL_LAYER: u8 = 2;

/// Template ids have 6 bits.
const ID_RANGE: u8 = 64;

/// AV1 numbers temporal layers with 3 bits and spatial layers with 2.
const MAX_TEMPORAL_LAYERS: u8 = 8;
const MAX_SPATIAL_LAYERS: u8 = 4;

/// Why bytes are not a Dependency Descriptor. The publisher is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DescriptorError {
    /// A structure has more layers than AV1 can number.
    #[error("the template structure has too many layers")]
    TooManyLayers,
    /// A structure has more templates than can be referred to.
    #[error("the template structure has more than 64 templates")]
    TooManyTemplates,
    /// The bytes end too soon.
    #[error("the descriptor is truncated")]
    Truncated,
    /// The frame refers to a template that the structure does not have.
    #[error("template {id} is not in the structure")]
    UnknownTemplate {
        /// The template's id.
        id: u8,
    },
}

#[cfg(test)]
mod tests;
