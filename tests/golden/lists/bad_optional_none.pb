
lists/bad_optional_noneº

OptionalNoneOptionalNone
d
OptionalGetValueOptionalGetValueOptionalNone*
output_types
2*
output_shapes
:
/
IdentityIdentityOptionalGetValue*
T0"ª"

Identity:01ñhãˆµøä>9íµ ÷Æ°>B'tools/golden_case.py, TensorFlow 2.21.0RINVALID_ARGUMENTZLOAD|RUNbIdentitybOptionalGetValuebOptionalNonej5    File "/tmp/opset/lists.py", line 137, in <module>