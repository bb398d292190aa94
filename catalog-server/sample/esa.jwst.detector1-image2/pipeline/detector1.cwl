cwlVersion: v1.2
class: CommandLineTool
label: Detector1
doc: Calibrates the ramps of one raw exposure into a rate image, with reference files from the cache unless overridden.
requirements:
  EnvVarRequirement:
    envDef:
      CRDS_PATH: $(inputs.crds_cache.path)
  ResourceRequirement:
    coresMin: 2
    ramMin: 8192
baseCommand: [strun, calwebb_detector1]
arguments:
  - --output_dir=.
  - --save_calibrated_ramp=true
inputs:
  exposure:
    type: File
    doc: Uncalibrated exposure, FITS.
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
    doc: Reference files to use instead of those that CRDS would choose, such as dark_current.override_dark=my_dark.fits.
outputs:
  rate:
    type: File
    outputBinding:
      glob: "*_rate.fits"
  ramp:
    type: File?
    outputBinding:
      glob: "*_ramp.fits"
