# Run by ev_embed_text: bytes as an array, since a string literal has a length limit.
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "extern const char ${SYMBOL}[];\nextern const unsigned ${SYMBOL}_size;\nconst char ${SYMBOL}[] = {${bytes}0};\nconst unsigned ${SYMBOL}_size = ${size};\n")
