cwlVersion: v1.2
class: CommandLineTool
label: Image2
doc: Turns a rate image into a calibrated image with sky coordinates and flat field applied.
requirements:
  EnvVarRequirement:
    envDef:
      CRDS_PATH: $(inputs.crds_cache.path)
  ResourceRequirement:
    coresMin: 2
    ramMin: 4096
baseCommand: [strun, calwebb_image2]
arguments:
  - --output_dir=.
inputs:
  rate:
    type: File
    doc: Rate image, FITS.
    inputBinding:
      position: 1
  crds_cache:
    type: Directory
    doc: Reference files and mappings.
  overrides:
    type:
      - "null"
      - type: array
        items: string
        inputBinding:
          prefix: --steps.
          separate: false
    doc: Reference files to use instead of those that CRDS would choose, such as flat_field.override_flat=my_flat.fits.
outputs:
  calibrated:
    type: File
    outputBinding:
      glob: "*_cal.fits"
