cwlVersion: v1.2
class: CommandLineTool
label: Hello PIPEMAN
doc: Greets whoever it is told to; the smallest pipeline that has an input, an output and a resource request.
requirements:
  ResourceRequirement:
    coresMin: 1
    ramMin: 256
hints:
  DockerRequirement:
    dockerPull: docker.io/library/busybox:1.36
baseCommand: echo
arguments: ["Hello,"]
inputs:
  who:
    type: string
    default: PIPEMAN
    doc: Whom to greet.
    inputBinding:
      position: 1
outputs:
  greeting:
    type: stdout
    doc: The greeting as a text file.
stdout: greeting.txt
