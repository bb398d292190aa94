cwlVersion: v1.2
class: Workflow
label: Detector1 to Image2
doc: Calibrates one raw JWST imaging exposure in two stages and keeps what lies between them.
inputs:
  pipeline_input:
    type: File
    label: Pipeline input FITS file
  crds_cache:
    type: Directory
    label: CRDS cache
  detector1_overrides:
    type: string[]?
    label: Detector1 CRDS override list
  image2_overrides:
    type: string[]?
    label: Image2 CRDS override list
outputs:
  detector1_intermediate:
    type: File
    label: Detector1 intermediate output
    outputSource: detector1/rate
  detector1_ramp:
    type: File?
    label: Detector1 calibrated ramp
    outputSource: detector1/ramp
  calibrated_image:
    type: File
    label: FITS file output
    outputSource: image2/calibrated
steps:
  detector1:
    run: detector1.cwl
    in:
      exposure: pipeline_input
      crds_cache: crds_cache
      overrides: detector1_overrides
    out: [rate, ramp]
  image2:
    run: image2.cwl
    in:
      rate: detector1/rate
      crds_cache: crds_cache
      overrides: image2_overrides
    out: [calibrated]
