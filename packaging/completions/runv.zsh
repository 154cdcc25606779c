#compdef @PROGRAMS@
# zsh completion for runv, made from the table of runv's commands

_runv_command() {
  kind=none container='' below=() flags=()
  case $1 in
@COMMANDS@
    *) return 1 ;;
  esac
}

_runv_value() {
  value=''
  case $1 in
@VALUES@
  esac
}

_runv() {
  local kind container value='' at=${words[1]:t} root='' word
  local -a below flags
  local -i count=0 i first=0
  for ((i = 2; i < CURRENT; i++)); do
    word=${words[i]}
    case $word in
    -*=*) ;;
    -*)
      _runv_value "$at $word"
      [[ -n $value ]] || continue
      i+=1
      (( i < CURRENT )) || break
      [[ $word != --root ]] || root=${words[i]}
      value=''
      ;;
    *)
      if (( count == 0 )) && _runv_command "$at $word"; then at="$at $word"; else count+=1; fi
      ;;
    esac
  done
  if [[ -z $value && $PREFIX = -*=* ]]; then
    _runv_value "$at ${PREFIX%%=*}"
    compset -P 1 '*='
  fi
  case $value in
  choices*) compadd -- ${=value#choices }; return ;;
  files) _files; return ;;
  directories) _files -/; return ;;
  anything) return 1 ;;
  esac
  _runv_command "$at" || return 1
  [[ $kind != words ]] || first=1
  if [[ $PREFIX = -* ]]; then
    _describe -o option flags
  elif [[ $kind != none ]] && (( count == 0 )); then
    _describe command below
  elif [[ -n $container ]] && (( count == first )); then
    compadd -- ${(f)"$(runv ${root:+--root} ${root:+$root} list -q 2>/dev/null)"}
  else
    _files
  fi
}

if [[ ${zsh_eval_context[-1]} = loadautofunc ]]; then _runv "$@"; else compdef _runv @PROGRAMS@; fi
