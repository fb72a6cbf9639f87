"""Texts that are code in some language, where a value should be: told by calls that start, load or climb.

A configuration that carries such a text expects somebody to evaluate it. What a text is for decides how bad
that is: an expression is evaluated, a description is not.
"""

import re
from typing import Final

__all__ = ["code_in", "gadget_in"]

MAX_CHARS: Final = 200_000
_CODE: Final = re.compile(
    r"__import__\s{0,5}\(|\bimportlib\s{0,3}\.\s{0,3}import_module\s{0,3}\(|"
    r"\b(?:os|posix|nt)\s{0,2}\.\s{0,2}(?:system|popen\d?|exec[lv]\w{0,3}|spawn[lv]\w{0,3}|startfile|"
    r"unlink|remove|fork)\s{0,3}\(|"
    r"\bsubprocess\s{0,2}\.\s{0,2}(?:run|call|Popen|check_\w{1,10}|getoutput|getstatusoutput)\b|"
    r"\bpty\.spawn\b|"
    r"\.\s{0,2}__(?:class|globals|subclasses|mro|bases?|builtins|getattribute|code|reduce|reduce_ex|"
    r"loader|self)__\b|"
    r"\b(?:eval|exec|compile|execfile)\s{0,3}\(\s{0,5}(?:[\"']|__|base64|bytes|open|compile|input|"
    r"requests|urllib|codecs|zlib|chr|b[\"'])|"
    r"\b(?:pickle|dill|cloudpickle|marshal|joblib|shelve)\s{0,2}\.\s{0,2}(?:loads?|open)\s{0,3}\(|"
    r"\bshutil\s{0,2}\.\s{0,2}rmtree\b|\bctypes\s{0,2}\.\s{0,2}(?:CDLL|cdll|windll)\b|"
    r"\bsocket\s{0,2}\.\s{0,2}socket\s{0,3}\(|"
    r"\b(?:urllib\.request\.)?urlopen\s{0,3}\(|\brunpy\.run_\w{1,8}\b|\bbuiltins\.(?:eval|exec)\b|"
    r"\brequire\s{0,3}\(\s{0,3}[\"'](?:node:)?(?:child_process|fs|net|vm)[\"']|"
    r"\bprocess\s{0,2}\.\s{0,2}(?:mainModule|binding)\b|"
    r"\bnew\s{1,5}Function\s{0,3}\(|\.constructor\s{0,3}\(\s{0,3}[\"']return|\bchild_process\b|"
    r"\bgetRuntime\s{0,3}\(\s{0,3}\)|\bjava\.lang\.(?:Runtime|ProcessBuilder|ClassLoader)\b|"
    r"\bjavax\.script\.|"
    r"\bT\s{0,2}\(\s{0,2}java\.|\bgroovy\.(?:lang|util)\.|\bKernel\s{0,2}\.\s{0,2}(?:system|exec|open|"
    r"spawn)\b|"
    r"<%=?\s{0,5}(?:system|exec|`|IO\.popen|require)|\bos\.execute\s{0,3}\(|\bio\.popen\s{0,3}\(|"
    r"\bsystem2?\s{0,3}\(\s{0,3}[\"'][^\"'\n]{1,200}[\"']\s{0,3}[,)]|\bshell_exec\s{0,3}\(|"
    r"\bpassthru\s{0,3}\(|"
    r"\beval\s{0,3}\(\s{0,3}parse\s{0,3}\(|\bCreateObject\s{0,3}\(\s{0,3}[\"'](?:WScript|Shell|MSXML|"
    r"Scripting)"
)  # fmt: skip
_GADGET: Final = re.compile(
    r"\$\{{1,2}[^}\s]{0,60}\bj\S{0,40}ndi\S{0,40}:|\$\{jndi:|"
    r"\b(?:com\.sun\.(?:rowset\.JdbcRowSetImpl|org\.apache\.xalan\S{0,60}TemplatesImpl|jndi\.\w{1,40})|"
    r"javax\.script\.ScriptEngineManager|javax\.naming\.\w{1,40}|java\.lang\.(?:ProcessBuilder|Runtime)|"
    r"java\.beans\.(?:EventHandler|XMLDecoder)|org\.apache\.commons\.(?:collections4?\.functors|"
    r"beanutils\.BeanComparator|"
    r"configuration2?\.JNDI\w{1,20})|"
    r"org\.springframework\.(?:context\.support\.\w{1,60}ApplicationContext|aop\S{1,60}|"
    r"beans\.factory\S{1,80})|org\.codehaus\.groovy\.runtime\.\w{1,40}|com\.mchange\.v2\.c3p0\.\w{1,60}|"
    r"com\.zaxxer\.hikari\.HikariConfig|org\.apache\.xbean\.\S{1,60}|ch\.qos\.logback\.core\.db\.\w{1,60}|"
    r"org\.hibernate\.\S{1,60}|bsh\.Interpreter|org\.python\.core\.\w{1,40}|javassist\S{0,60}|"
    r"clojure\.(?:core|lang)\S{0,40}|"
    r"com\.rometools\.rome\S{1,60}|net\.sf\.ehcache\S{1,60}|org\.mozilla\.javascript\.\w{1,40})\b|"
    r"\bSystem\.(?:Windows\.Data\.ObjectDataProvider|Diagnostics\.Process(?:StartInfo)?|"
    r"Configuration\.Install\.\w{1,40}|"
    r"Management\.Automation\.\w{1,40}|Security\.(?:Claims|Principal)\.Windows\w{1,40}|Activities\.\S{1,80}|"
    r"Web\.UI\.(?:LosFormatter|ObjectStateFormatter)|Workflow\.ComponentModel\.\S{1,80}|"
    r"Windows\.Markup\.XamlReader|"
    r"Data\.Services\.Internal\.ExpandedWrapper\S{0,80}|Resources\.ResX\w{1,20}|CodeDom\.Compiler\.\w{1,40}|"
    r"Windows\.Forms\.(?:AxHost|BindingSource)\S{0,20})\b"
)  # fmt: skip


def code_in(text: str) -> str:
    """The call by which a text shows that it is code; empty where there is none."""
    match = _CODE.search(text[:MAX_CHARS])
    return match[0].strip() if match is not None else ""


def gadget_in(text: str) -> str:
    """A class of Java or .NET by which loaders are made to run programs; empty where there is none."""
    match = _GADGET.search(text[:MAX_CHARS])
    return match[0].strip() if match is not None else ""
